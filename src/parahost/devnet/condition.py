"""When a devnet is done: ``included=K``, ``finalized=K``, ``time=S``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from parahost.primitives.errors import InputError


class BadCondition(InputError):
    """The text is no condition; says what one looks like."""


class UntilKind(Enum):
    INCLUDED = "included"
    """Each para has so many parablocks included."""
    FINALIZED = "finalized"
    """Each para has so many parablocks included in final relay blocks."""
    TIME = "time"
    """So many seconds have passed since the start."""


@dataclass(frozen=True, slots=True)
class UntilCondition:
    kind: UntilKind
    amount: float

    @classmethod
    def parse(cls, text: str) -> UntilCondition:
        """:raises BadCondition: when the text is none of the three forms."""
        name, equals, number = text.partition("=")
        try:
            kind = UntilKind(name)
            amount = float(number) if kind is UntilKind.TIME else int(number)
        except ValueError:
            equals = ""
        if not equals or not 0 < amount < float("inf"):
            raise BadCondition(
                f"--until {text}: not a condition; write included=K, finalized=K or time=SECONDS"
            )
        return cls(kind, amount)

    def __str__(self) -> str:
        return f"{self.kind.value}={self.amount:g}"
