"""Networks of nodes that are mutated and pass for honest: what a checker must notice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from parahost.node.messages.base import Message
from parahost.simulation import Adversary, Outcome, Scenario, Shape, Simulation
from parahost.simulation.build import Alteration, Build

SMALL = Shape(validators=4, parachains=1)


def run_with(
    mutate: Alteration | None = None,
    *,
    who: Sequence[str] | None = None,
    scenario: Scenario | None = None,
    seed: int = 1,
) -> Outcome:
    """A run in which some nodes are mutated: all validators, if it is not said which.

    Nothing tells the checkers about it.
    """
    scenario = scenario or Scenario(shape=SMALL, blocks=4)
    simulation = Simulation(scenario, seed)
    if mutate is not None:
        names = [node.name for node in simulation.plan.validators] if who is None else who
        for name in names:
            simulation.nodes[name].alterations.append(mutate)
    return simulation.run()


def bitten(outcome: Outcome, checker: str) -> str:
    """What the checker has found."""
    verdict = outcome.verdicts[checker]
    assert verdict != "ok", outcome.verdicts
    return verdict


class Replace:
    """An interceptor made of a function: what is sent instead of a message, by whom."""

    def __init__(self, instead: Callable[[str, Message], Iterable[Message]]) -> None:
        self._instead = instead

    def intercept(self, sender: str, message: Message) -> Iterable[Message]:
        return self._instead(sender, message)


def intercepting(instead: Callable[[str, Message], Iterable[Message]]) -> Alteration:
    """The mutation that puts such an interceptor in."""

    def alter(build: Build) -> None:
        build.interceptors.append(Replace(instead))

    return alter


def secretly(adversary: Adversary, names: Sequence[str], scenario: Scenario, seed: int) -> Outcome:
    """A run in which these nodes act like the adversary, and pass for honest."""
    simulation = Simulation(scenario, seed)
    alteration = adversary.conspire(simulation)
    for name in names:
        simulation.nodes[name].alterations.append(alteration)
    return simulation.run()
