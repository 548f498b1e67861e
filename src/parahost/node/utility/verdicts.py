"""Verdicts on who took part in a dispute (A109, D26). Pure.

All validators of the session are called to check the candidate. When a supermajority has said what
it is, the minority is in the wrong, the majority in the right; who says nothing has failed its
duty; and who has said both is in the wrong whatever it is. The chain takes and gives accordingly.
"""

from __future__ import annotations

from parahost.primitives.basic import ValidatorIndex
from parahost.primitives.disputes import DisputeOutcome
from parahost.primitives.values import dataclass
from parahost.runtime.parachains.dispute_votes import Votes
from parahost.runtime.slashing import Misconduct


@dataclass(frozen=True, slots=True)
class DisputeVerdict:
    """Who has done what, by validator index; each list ascends."""

    misconduct: tuple[tuple[Misconduct, tuple[ValidatorIndex, ...]], ...]
    """What is punished: those of it that somebody has done."""
    rewarded: tuple[ValidatorIndex, ...]
    """Who has said what is right, and nothing else."""


def verdict_of(votes: Votes, outcome: DisputeOutcome, validators: int) -> DisputeVerdict:
    """The verdict by all that has been said, of so many validators."""
    wrong = votes.wrong(outcome)
    if outcome is DisputeOutcome.VALID:
        on_the_matter = {Misconduct.VOTED_AGAINST_VALID: wrong}
    else:
        on_the_matter = {
            Misconduct.BACKED_INVALID: wrong & votes.backers,
            Misconduct.VOTED_FOR_INVALID: wrong - votes.backers,
        }
    done = {
        **on_the_matter,
        Misconduct.DOUBLE_VOTE: votes.both_ways,
        Misconduct.NOT_VOTED: frozenset(votes.silent(validators)),
    }
    return DisputeVerdict(
        tuple((what, tuple(sorted(who))) for what, who in done.items() if who),
        tuple(sorted(votes.right(outcome))),
    )
