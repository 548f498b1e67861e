"""Why the dispute statements that a block brings are refused."""

from __future__ import annotations

from parahost.primitives.basic import CandidateHash, SessionIndex, ValidatorIndex
from parahost.runtime.errors import InvalidBlock


class TooManyDisputes(InvalidBlock):
    """A block brings statements on so many candidates at most."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"there are statements on more than {limit} candidates")
        self.limit = limit


class InvalidDispute(InvalidBlock):
    """Statements on a candidate make the block invalid (A50)."""

    def __init__(self, candidate: CandidateHash, why: str) -> None:
        super().__init__(f"the dispute of {candidate.hex()}: {why}")
        self.candidate = candidate


class UnknownDisputeSession(InvalidDispute):
    """The validators of the session are not, or no longer, known."""

    def __init__(self, candidate: CandidateHash, session: SessionIndex) -> None:
        super().__init__(candidate, f"session {session} cannot be judged")
        self.session = session


class DisputeClosed(InvalidDispute):
    """It is too late for votes."""


class NothingDisputed(InvalidDispute):
    """Nobody contradicts anybody, or nothing is said that is not known."""


class Unconcluded(InvalidDispute):
    """The candidate is not included on this fork, and the votes are no supermajority: it needs an
    availability process of its own first (A59, A60)."""


class MayNotDispute(InvalidDispute):
    """None of those who vote against the candidate may begin a dispute: they have done wrong, or
    answer for as many open ones as may be."""


class BadVote(InvalidDispute):
    """The validator is none of the session, or has said so already, or in a form that nobody
    signs."""

    def __init__(self, candidate: CandidateHash, validator: ValidatorIndex, why: str) -> None:
        super().__init__(candidate, f"validator {validator} {why}")
        self.validator = validator


class BadVoteSignature(BadVote):
    """The statement is not signed by its validator."""

    def __init__(self, candidate: CandidateHash, validator: ValidatorIndex) -> None:
        super().__init__(candidate, validator, "has not signed that")
