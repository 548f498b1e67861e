"""Whether a candidate has the checks that it needs, by the parameters of its session (A54, D22).

Nodes ask it of what they know, authors of what the chain knows, and the chain of itself.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from parahost.approval.tranches import (
    Assigned,
    Required,
    are_enough,
    have_delivered,
    required_tranches,
)
from parahost.primitives.basic import ValidatorIndex
from parahost.primitives.runtime_api import IncludedCandidate, SessionInfo


@dataclass(frozen=True, slots=True)
class Completeness:
    """Which tranches are required by now, and whether the checks are complete."""

    required: Required
    is_complete: bool
    is_final: bool
    """Whether they stay complete, whoever else turns out to be drawn for a tranche that counts."""


def completeness(
    record: IncludedCandidate,
    session: SessionInfo,
    assigned: Collection[Assigned],
    approved: Collection[ValidatorIndex],
    now: int,
) -> Completeness:
    """``approved``: who has found it valid and has not backed it. ``now``: the tranche whose time
    it is. A candidate needs no more checks than there are validators who may check it."""
    validators = len(session.validators)
    checkers = validators - len(record.backers)
    needed = min(session.approval.needed_approvals, checkers)
    required = required_tranches(
        assigned,
        approved,
        now=now,
        no_show=session.approval.no_show,
        needed=needed,
        checkers=checkers,
    )
    enough = not needed or are_enough(approved, validators=validators, checkers=checkers)
    complete = enough or have_delivered(required, assigned, approved)
    return Completeness(required, complete, enough)
