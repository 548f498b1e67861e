"""What makes a commit a proof: whose precommits are in it, for what, and with which weight.

A voter's precommits are judged together. One counts if its block is the target or descends from
it. Two different ones show that the voter equivocates; it counts for every block then, wherever
the two lie, so neither has to lead anywhere. Anything more is padding.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from parahost.consensus.grandpa.blocks import BlockRef, HeaderSource
from parahost.consensus.grandpa.errors import (
    InsufficientWeight,
    MissingAncestry,
    RedundantVote,
    UnconnectedVote,
    WrongSet,
)
from parahost.consensus.grandpa.messages import SignedMessage, payload_of
from parahost.consensus.grandpa.voters import VoterSet
from parahost.consensus.grandpa.votes import votes_of
from parahost.consensus.pieces import Pieces
from parahost.ports import Verifier
from parahost.primitives.basic import GrandpaId, Hash
from parahost.primitives.consensus import GrandpaCommit
from parahost.primitives.header import Header

SIGNATURES_AT_ONCE = 32
"""ProofVerified in one piece: about 5 ms."""

ByVoter = Mapping[GrandpaId, Sequence[SignedMessage]]
"""One vote of a voter, or two different ones."""


def target_of(commit: GrandpaCommit) -> BlockRef:
    return BlockRef(commit.target_hash, commit.target_number)


def by_voter(votes: Iterable[SignedMessage], set_id: int, voters: VoterSet) -> ByVoter:
    """Votes of one stage, sorted by who cast them.

    :raises WrongSet: when somebody has no vote.
    :raises RedundantVote: when a voter's vote is there twice, or a third one.
    """
    sorted_votes: dict[GrandpaId, list[SignedMessage]] = {}
    for vote in votes:
        if vote.id not in voters:
            raise WrongSet(set_id, vote.id)
        earlier = sorted_votes.setdefault(vote.id, [])
        if len(earlier) > 1 or any(vote.message == other.message for other in earlier):
            raise RedundantVote(vote.id, vote.target)
        earlier.append(vote)
    return sorted_votes


def check_weight(behind: Iterable[GrandpaId], voters: VoterSet) -> None:
    """:raises InsufficientWeight: when these voters are no supermajority."""
    weight = voters.weight(sum(1 << (voters.index(voter) or 0) for voter in behind))
    if weight < voters.threshold:
        raise InsufficientWeight(weight, voters.threshold)


def check_commit(
    commit: GrandpaCommit, set_id: int, voters: VoterSet, headers: HeaderSource
) -> None:
    """Check all of a commit but its signatures.

    :raises WrongSet:
    :raises RedundantVote:
    :raises InsufficientWeight:
    :raises MissingAncestry:
    :raises UnconnectedVote:
    """
    sorted_votes = by_voter(votes_of(commit), set_id, voters)
    check_weight(sorted_votes, voters)
    descent = Descent(target_of(commit), headers)
    for votes in sorted_votes.values():
        if len(votes) == 1:
            descent.follow(votes[0])


class Descent:
    """Whether votes are for a block or its descendants. Each header is looked at once, however
    many votes lie above it."""

    def __init__(self, ancestor: BlockRef, headers: HeaderSource) -> None:
        self._ancestor = ancestor
        self._headers = headers
        self._numbers: dict[Hash, int] = {ancestor.hash: ancestor.number}
        self._missing_below: dict[Hash, Hash] = {}
        self._astray: set[Hash] = set()

    def follow(self, vote: SignedMessage) -> list[Header]:
        """The headers from the vote's block to the ancestor that no vote before has needed.

        :raises MissingAncestry: when one is not there.
        :raises UnconnectedVote: when the block does not descend from the ancestor, or its number
            is wrong.
        """
        walked: dict[Hash, Header] = {}
        at, number = vote.target.hash, int(vote.target.number)
        while at not in self._numbers:
            header = self._headers.header(at)
            if at in self._missing_below or (header is None and number > self._ancestor.number):
                missing = self._missing_below.get(at, at)
                self._missing_below.update(dict.fromkeys(walked, missing))
                raise MissingAncestry(vote.id, vote.target, missing)
            if (
                header is None
                or at in self._astray
                or header.number != number
                or number <= self._ancestor.number
            ):
                self._astray.update(walked)
                raise UnconnectedVote(vote.id, vote.target)
            walked[at] = header
            at, number = header.parent_hash, number - 1
        if self._numbers[at] != number:
            raise UnconnectedVote(vote.id, vote.target)
        self._numbers.update((hash, header.number) for hash, header in walked.items())
        return list(walked.values())


def first_unsigned(
    votes: Iterable[SignedMessage], round_number: int, set_id: int, verifier: Verifier
) -> Pieces[SignedMessage | None]:
    """The first vote whose signature does not hold."""
    for count, vote in enumerate(votes, start=1):
        payload = payload_of(vote.message, round_number, set_id)
        if not verifier.ed25519(vote.id, payload, vote.signature):
            return vote
        if count % SIGNATURES_AT_ONCE == 0:
            yield
    return None
