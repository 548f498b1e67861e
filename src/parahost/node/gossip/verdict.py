"""What a gossip message is worth: the verdict, and what its sender gains or loses."""

from __future__ import annotations

from enum import Enum
from typing import Generic, TypeVar

from parahost.node.messages.network import ReputationChange
from parahost.primitives.values import dataclass

F = TypeVar("F")

COST_MALFORMED = ReputationChange(-100, "a gossip message that does not decode")
COST_BAD_SIGNATURE = ReputationChange(-100, "a wrong signature")
COST_NO_VALIDATOR = ReputationChange(-50, "from a validator index that does not exist")
COST_NOT_IN_VIEW = ReputationChange(-5, "about a block that is not in our view")
COST_OUT_OF_ORDER = ReputationChange(-5, "a gossip message before the one that it depends on")
COST_FLOOD = ReputationChange(-100, "more of one author than anybody needs")
COST_DUPLICATE = ReputationChange(-1, "the same message again from the same peer")
BENEFIT_NEW = ReputationChange(1, "something new and right")


class Acceptance(Enum):
    """The verdict on a gossip message: style, habit 8."""

    ACCEPT = "accept"
    IGNORE = "ignore"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Verdict(Generic[F]):
    """What to do with a message, and what its sender gains or loses by it."""

    acceptance: Acceptance
    change: ReputationChange | None = None
    found: F | None = None
    """Of what is accepted: what it says, as far as judging it found that out."""
