"""What a scenario demands beyond what every checker watches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, get_args

from parahost.node.node import Role
from parahost.primitives.misbehavior import MisbehaviorReport
from parahost.simulation.checkers import OK

MISBEHAVIOUR = tuple(report.__name__ for report in get_args(MisbehaviorReport))
"""What can be reported, by name."""


@dataclass(frozen=True, kw_only=True)
class Expectation(ABC):
    """Judged at the end of a run by its statistics."""

    kind: ClassVar[str]
    """Its name in TOML."""

    @property
    def name(self) -> str:
        """What its verdict is called."""
        wanted = ", ".join(f"{field.name}={getattr(self, field.name)}" for field in fields(self))
        return f"expects {self.kind}({wanted})"

    def check(self, roles: Mapping[str, Role]) -> None:  # noqa: B027
        """:raises ValueError: when it speaks of what is not, in a network of these nodes."""

    @abstractmethod
    def judge(self, statistics: Mapping[str, Any]) -> str:
        """``ok``, or what is lacking."""


@dataclass(frozen=True, kw_only=True)
class Included(Expectation):
    """Each para has at least so many blocks in the best chain; with ``para``, this one."""

    kind: ClassVar[str] = "included"

    at_least: int
    para: int | None = None

    def check(self, roles: Mapping[str, Role]) -> None:
        if self.at_least < 0:
            raise ValueError(f"{self.kind}: {self.at_least} blocks are less than none")
        if self.para is not None and f"collator-{self.para}" not in roles:
            raise ValueError(f"{self.kind}: there is no para {self.para}")

    def judge(self, statistics: Mapping[str, Any]) -> str:
        for para, count in statistics["included"].items():
            if (self.para is None or para == str(self.para)) and count < self.at_least:
                return f"para {para} has {count} blocks, {self.at_least} were expected"
        return OK


@dataclass(frozen=True, kw_only=True)
class Finalized(Expectation):
    """Finality comes at least to that block."""

    kind: ClassVar[str] = "finalized"

    at_least: int

    def check(self, roles: Mapping[str, Role]) -> None:
        if self.at_least < 0:
            raise ValueError(f"{self.kind}: block {self.at_least} lies before the first")

    def judge(self, statistics: Mapping[str, Any]) -> str:
        final = statistics["finalized"]
        return OK if final >= self.at_least else f"final is {final}, not {self.at_least}"


@dataclass(frozen=True, kw_only=True)
class Reported(Expectation):
    """Misbehaviour of that kind is noticed."""

    kind: ClassVar[str] = "reported"

    misbehaviour: str

    def check(self, roles: Mapping[str, Role]) -> None:
        if self.misbehaviour not in MISBEHAVIOUR:
            known = ", ".join(MISBEHAVIOUR)
            raise ValueError(f"{self.kind}: there is no {self.misbehaviour}; there are {known}")

    def judge(self, statistics: Mapping[str, Any]) -> str:
        noticed = statistics["misbehaviour"]
        return OK if self.misbehaviour in noticed else f"no {self.misbehaviour} was reported"


KINDS: Mapping[str, type[Expectation]] = {
    expectation.kind: expectation for expectation in (Included, Finalized, Reported)
}
"""All expectations by their names in TOML."""
