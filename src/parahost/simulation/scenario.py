"""Scenarios: who is there, what happens to them and when, and what must hold.

In Python a scenario is a value, ``SCENARIO`` in a module of its own::

    from parahost.simulation import *

    SCENARIO = Scenario(
        about="a third of the validators is cut off for a minute",
        shape=Shape(validators=7, parachains=2),
        blocks=40,
        faults=(
            Partition(who=("validator-1", "validator-2"), at=at(30.0), lasts_s=60.0),
            Crash(who=("validator-3",), at=at_block(5), lose=10),
        ),
        adversaries=(CensoringAuthor(who=("validator-4",)),),
        expects=(Included(at_least=10),),
    )

The simple cases are TOML too; see :mod:`parahost.simulation.scenario_toml`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from parahost.node.role import Role
from parahost.simulation import checkers
from parahost.simulation.adversaries import Adversary, Outsider
from parahost.simulation.expectations import Expectation
from parahost.simulation.faults import Fault
from parahost.simulation.field_types import misfit
from parahost.simulation.network import Geography, LinkQuality
from parahost.simulation.plan import BadSimulation, ScenarioPart, Shape, node_roles

PATIENCE = 4
GIVE_UP_SLOTS = 20
"""A run is given up after so many slots, and :data:`PATIENCE` more for each block."""


class BadScenario(BadSimulation):
    """A scenario that cannot be run. ``where`` is its file, with the line if one is to blame."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}" if where else reason)
        self.where = where
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A network, what happens to it, and what must hold.

    All checkers judge each run, but for those in ``without``, whose promises the scenario breaks on
    purpose. ``geography`` places the nodes; without it all ways are like ``links``.
    """

    about: str = ""
    shape: Shape = field(default_factory=Shape)
    blocks: int = 20
    links: LinkQuality = field(default_factory=LinkQuality)
    geography: Geography | None = None
    faults: tuple[Fault, ...] = ()
    adversaries: tuple[Adversary, ...] = ()
    expects: tuple[Expectation, ...] = ()
    without: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """:raises BadSimulation: when it contradicts itself, or names what does not exist."""
        found = misfit(self)
        if found is not None:
            name, why = found
            raise BadSimulation(f"{name}: {why}", name)
        self.shape.check()
        if self.blocks < 1:
            raise BadSimulation(f"{self.blocks} blocks are none", "blocks")
        roles = node_roles(self.shape)
        with _blaming("geography"):
            if self.geography is not None:
                self.geography.check()
        for place, fault in enumerate(self.faults):
            with _blaming(("fault", place)):
                fault.check(tuple(roles))
                self._check_comes(fault)
        for place, adversary in enumerate(self.adversaries):
            with _blaming(("adversary", place)):
                adversary.check(roles)
        for place, expectation in enumerate(self.expects):
            with _blaming(("expect", place)):
                expectation.check(roles)
        known = [checker.name for checker in checkers.ALL]
        for name in self.without:
            if name not in known:
                raise BadSimulation(
                    f"there is no checker {name}; there are {', '.join(known)}", "without"
                )
        self._check_honest_majority(roles)

    @property
    def limit_s(self) -> float:
        """When the run is given up, in virtual seconds."""
        return self.shape.slot_s * (PATIENCE * self.blocks + GIVE_UP_SLOTS)

    @property
    def is_undisturbed(self) -> bool:
        """Whether nothing befalls the nodes, but for what people without stake say to them."""
        return not self.faults and all(isinstance(each, Outsider) for each in self.adversaries)

    def _check_comes(self, fault: Fault) -> None:
        """Trouble that is to come after the end would never be seen."""
        block, seconds = fault.at.block or 0, fault.at.seconds or 0.0
        if block > self.blocks:
            raise ValueError(f"{fault.kind}: at {fault.at}, the last one is block {self.blocks}")
        if seconds >= self.limit_s:
            raise ValueError(
                f"{fault.kind}: at {fault.at}, {self.blocks} blocks are given {self.limit_s:g} s"
            )

    def _check_honest_majority(self, roles: dict[str, Role]) -> None:
        validators = sum(role is Role.VALIDATOR for role in roles.values())
        bad = {
            name
            for adversary in self.adversaries
            for name in adversary.who
            if roles.get(name) is Role.VALIDATOR
        }
        may = (validators - 1) // 3
        if len(bad) > may and not self.without:
            raise BadSimulation(
                f"{len(bad)} of {validators} validators are adversaries, {may} may be: say in "
                "`without` which checkers need not hold then",
                "adversary",
            )


@contextmanager
def _blaming(part: ScenarioPart) -> Iterator[None]:
    """What is found wrong is wrong with that part."""
    try:
        yield
    except ValueError as why:
        raise BadSimulation(str(why), part) from why
