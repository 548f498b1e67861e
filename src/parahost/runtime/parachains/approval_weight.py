"""What the checks of candidates weigh that a block brings, and what comes with them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from parahost.primitives.approval import SecondaryChecks
from parahost.primitives.remote_disputes import AvailabilityVotes
from parahost.runtime.weights import Weight, micros

CHECKED_CANDIDATE: Final = micros(200)
"""A candidate on whose checks something is brought: its record, whether it is accepted now."""
ASSIGNMENT: Final = micros(600)
"""One VRF, and what it draws."""
APPROVAL: Final = micros(130)
"""One signature."""
AVAILABILITY: Final = micros(130)
"""One signature of who holds its chunk."""
MAX_CHECKS_WEIGHT: Final = micros(500_000)
"""What an author lets the checks of candidates take of a block."""


def checks_weight(checks: SecondaryChecks) -> Weight:
    """What is brought on the checks of one candidate."""
    return (
        CHECKED_CANDIDATE + ASSIGNMENT * len(checks.assignments) + APPROVAL * len(checks.approvals)
    )


def availability_weight(votes: AvailabilityVotes) -> Weight:
    """What is brought on the availability of one remotely disputed candidate."""
    return CHECKED_CANDIDATE + AVAILABILITY * len(votes.votes)


def notes_weight(
    checks: Iterable[SecondaryChecks], availability: Iterable[AvailabilityVotes]
) -> Weight:
    """All that a block brings."""
    parts = [*map(checks_weight, checks), *map(availability_weight, availability)]
    return sum(parts, start=Weight())
