"""What a scenario demands beyond what every checker watches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, get_args

from parahost.node.role import Role
from parahost.primitives.misbehavior import MisbehaviorReport
from parahost.runtime.slashing import Misconduct
from parahost.simulation.checkers import OK

MISBEHAVIOUR = tuple(report.__name__ for report in get_args(MisbehaviorReport))
"""What can be reported, by name."""
MISCONDUCT = tuple(deed.name.lower() for deed in Misconduct)
"""What can be punished, by name."""


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


@dataclass(frozen=True, kw_only=True)
class Accepted(Expectation):
    """So many candidates of the best chain are accepted at least."""

    kind: ClassVar[str] = "accepted"

    at_least: int

    def judge(self, statistics: Mapping[str, Any]) -> str:
        accepted = statistics["checks"]["accepted"]
        return OK if accepted >= self.at_least else f"{accepted} are accepted, not {self.at_least}"


@dataclass(frozen=True, kw_only=True)
class Disputed(Expectation):
    """So many disputes of the best chain end so at least: ``valid``, ``invalid``, ``timed_out``,
    ``unavailable``; or are ``begun``."""

    kind: ClassVar[str] = "disputed"
    WAYS: ClassVar[tuple[str, ...]] = ("begun", "invalid", "valid", "timed_out", "unavailable")

    at_least: int
    end: str = "begun"

    def check(self, roles: Mapping[str, Role]) -> None:
        if self.end not in self.WAYS:
            raise ValueError(f"{self.kind}: no dispute is {self.end}; they are {self.WAYS}")

    def judge(self, statistics: Mapping[str, Any]) -> str:
        count = statistics["disputes"][self.end]
        return OK if count >= self.at_least else f"{count} disputes are {self.end}"


@dataclass(frozen=True, kw_only=True)
class Punished(Expectation):
    """Validators are punished for that on the best chain, and for nothing else."""

    kind: ClassVar[str] = "punished"

    misconduct: str
    at_least: int = 1

    def check(self, roles: Mapping[str, Role]) -> None:
        if self.misconduct not in MISCONDUCT:
            known = ", ".join(MISCONDUCT)
            raise ValueError(f"{self.kind}: there is no {self.misconduct}; there are {known}")

    def judge(self, statistics: Mapping[str, Any]) -> str:
        punished: Mapping[str, int] = statistics["punished"]
        is_so = punished.get(self.misconduct, 0) >= self.at_least and len(punished) == 1
        return OK if is_so else f"they were punished for {dict(punished) or 'nothing'}"


KINDS: Mapping[str, type[Expectation]] = {
    expectation.kind: expectation
    for expectation in (Included, Finalized, Reported, Accepted, Disputed, Punished)
}
"""All expectations by their names in TOML."""
