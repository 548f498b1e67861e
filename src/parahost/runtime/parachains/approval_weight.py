"""What the checks of candidates weigh that a block brings."""

from __future__ import annotations

from typing import Final

from parahost.primitives.approval import SecondaryChecks
from parahost.runtime.weights import Weight, micros

CHECKED_CANDIDATE: Final = micros(200)
"""A candidate on whose checks something is brought: its record, whether it is accepted now."""
ASSIGNMENT: Final = micros(700)
"""One VRF, and what it draws."""
APPROVAL: Final = micros(130)
"""One signature."""
MAX_CHECKS_WEIGHT: Final = micros(500_000)
"""What an author lets the checks of candidates take of a block."""


def checks_weight(checks: SecondaryChecks) -> Weight:
    """What is brought on the checks of one candidate."""
    return (
        CHECKED_CANDIDATE + ASSIGNMENT * len(checks.assignments) + APPROVAL * len(checks.approvals)
    )
