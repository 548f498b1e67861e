"""Whether a message of a peer is acceptable: pure functions of the message, of where we are, and
of what we know of the peer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from enum import Enum

from parahost.consensus.grandpa.blocks import HeaderSource, known
from parahost.consensus.grandpa.commits import by_voter, check_commit, check_weight, target_of
from parahost.consensus.grandpa.errors import (
    InsufficientWeight,
    JustificationError,
    RedundantVote,
    WrongSet,
)
from parahost.consensus.grandpa.messages import (
    NEIGHBOUR_VERSION,
    CatchUp,
    CatchUpRequest,
    CommitMessage,
    NeighbourMessage,
    SignedMessage,
    VoteMessage,
    expand,
    payload_of,
)
from parahost.consensus.grandpa.rounds import Rounds
from parahost.consensus.grandpa.voters import VoterSet
from parahost.consensus.grandpa.votes import commit_of, votes_of
from parahost.ports import Verifier
from parahost.primitives.basic import U64, BlockNumber
from parahost.primitives.consensus import GrandpaCommit, Precommit, Prevote
from parahost.primitives.values import dataclass


class GrandpaVerdict(Enum):
    """What becomes of a message, with the change of its sender's reputation: 0 or more is no
    fault of the sender's (it may be late, early, or repeat itself), less is.
    """

    ACCEPT = ("accepted", 0)
    WAIT = ("about blocks that are not here yet", 0)
    OTHER_SET = ("of another authority set", 0)
    OTHER_ROUND = ("of a round that does not run here", 0)
    OLD_COMMIT = ("of a block that is final already", 0)
    TOO_SOON = ("again before its time", 0)
    SUPERFLUOUS = ("of a voter that has said all that counts", 0)
    NOTHING_TO_GIVE = ("asks for a round that is not completed here", 0)
    NOT_ASKED = ("an answer that was not asked for", -10)
    BACKWARDS = ("a view that goes backwards", -10)
    MALFORMED = ("malformed", -100)
    NO_VOTER = ("of somebody who does not vote", -100)
    BAD_SIGNATURE = ("with a wrong signature", -100)
    PADDED = ("with votes that are there twice, or more than two of a voter", -100)
    NO_PROOF = ("a proof that proves nothing", -100)

    def __init__(self, reason: str, cost: int) -> None:
        self.reason = reason
        self.cost = cost

    @property
    def rejects(self) -> bool:
        return self.cost < 0


@dataclass(frozen=True, slots=True)
class VoterView:
    """Where a node is: authority set, running round, last final block."""

    set_id: U64
    round: U64
    finalized_number: BlockNumber

    @property
    def order(self) -> tuple[int, int]:
        return self.set_id, self.round


@dataclass(slots=True)
class PeerRecord:
    """What is known of a peer. Times are the node's clock's, in seconds."""

    follows: bool = False
    """Whether it follows finality by commits alone: votes and rounds are not for it."""
    view: VoterView | None = None
    viewed_at: float = float("-inf")
    asked_us_at: float = float("-inf")
    sent: dict[tuple[int, int], set[bytes]] = field(default_factory=dict)
    """Votes that it has from us or we from it, by set and round."""
    commit_sent: tuple[int, int] = (-1, -1)
    """Set and block number of the highest commit that it has from us."""


def judge_neighbour(
    message: NeighbourMessage, record: PeerRecord, now: float, pause_s: float
) -> GrandpaVerdict:
    """``pause_s``: how long a peer must wait before it says the same again to any effect."""
    if message.version != NEIGHBOUR_VERSION:
        return GrandpaVerdict.MALFORMED
    before = record.view
    if before is None:
        return GrandpaVerdict.ACCEPT
    after = VoterView(message.set_id, message.round, message.finalized_number)
    if after == before:
        return (
            GrandpaVerdict.ACCEPT if now >= record.viewed_at + pause_s else GrandpaVerdict.TOO_SOON
        )
    if after.order < before.order or after.finalized_number < before.finalized_number:
        return GrandpaVerdict.BACKWARDS
    return GrandpaVerdict.ACCEPT


def judge_vote(message: VoteMessage, rounds: Rounds, verifier: Verifier) -> GrandpaVerdict:
    vote = message.vote
    if message.set_id != rounds.set_id:
        return GrandpaVerdict.OTHER_SET
    if not rounds.has(message.round):
        return GrandpaVerdict.OTHER_ROUND
    if vote.id not in rounds.voters:
        return GrandpaVerdict.NO_VOTER
    if rounds.contains(message.round, vote):
        return GrandpaVerdict.ACCEPT
    if not rounds.has_room(message.round, vote):
        return GrandpaVerdict.SUPERFLUOUS
    payload = payload_of(vote.message, message.round, message.set_id)
    good = verifier.ed25519(vote.id, payload, vote.signature)
    return GrandpaVerdict.ACCEPT if good else GrandpaVerdict.BAD_SIGNATURE


def judge_commit(message: CommitMessage, settled_number: int, rounds: Rounds) -> GrandpaVerdict:
    """All of a commit but its signatures, and what it says of blocks, for which see
    :func:`usable_part`. ``settled_number``: commits for blocks up to this one are of no use."""
    if message.set_id != rounds.set_id:
        return GrandpaVerdict.OTHER_SET
    if message.commit.target_number <= settled_number:
        return GrandpaVerdict.OLD_COMMIT
    commit = expand(message.commit)
    if commit is None:
        return GrandpaVerdict.MALFORMED
    return judge_stage(votes_of(commit), rounds)


def judge_stage(votes: Sequence[SignedMessage], rounds: Rounds) -> GrandpaVerdict:
    """Whether votes of one stage, if they are signed, are a supermajority without padding."""
    try:
        check_weight(by_voter(votes, rounds.set_id, rounds.voters), rounds.voters)
    except WrongSet:
        return GrandpaVerdict.NO_VOTER
    except RedundantVote:
        return GrandpaVerdict.PADDED
    except InsufficientWeight:
        return GrandpaVerdict.NO_PROOF
    return GrandpaVerdict.ACCEPT


def usable_part(
    commit: GrandpaCommit, set_id: int, voters: VoterSet, headers: HeaderSource
) -> GrandpaCommit | GrandpaVerdict:
    """The commit without precommits for unknown blocks, if that is still a proof. An
    equivocator's two are a proof against it whether their blocks are known or not: we may have
    left the fork of one, and its sender may not."""
    if not known(headers, target_of(commit)):
        return GrandpaVerdict.WAIT
    sorted_votes = by_voter(votes_of(commit), set_id, voters).values()
    placed = [
        vote
        for votes in sorted_votes
        if len(votes) > 1 or known(headers, votes[0].target)
        for vote in votes
    ]
    usable = commit_of(target_of(commit), placed)
    try:
        check_commit(usable, set_id, voters, headers)
    except InsufficientWeight:
        return GrandpaVerdict.WAIT
    except JustificationError:
        return GrandpaVerdict.NO_PROOF
    return usable


def judge_catch_up_request(
    message: CatchUpRequest, record: PeerRecord, rounds: Rounds, now: float, pause_s: float
) -> GrandpaVerdict:
    if message.set_id != rounds.set_id:
        return GrandpaVerdict.OTHER_SET
    votes = rounds.prior.votes
    if votes is None or not votes.state.completable or message.round > votes.number:
        return GrandpaVerdict.NOTHING_TO_GIVE
    return GrandpaVerdict.ACCEPT if now >= record.asked_us_at + pause_s else GrandpaVerdict.TOO_SOON


def judge_catch_up(message: CatchUp, rounds: Rounds, *, asked: bool) -> GrandpaVerdict:
    """All of a catch-up but its signatures; ``asked``: whether its sender owes us one."""
    if not asked:
        return GrandpaVerdict.NOT_ASKED
    if message.set_id != rounds.set_id:
        return GrandpaVerdict.OTHER_SET
    if message.round < rounds.current.number:
        return GrandpaVerdict.OTHER_ROUND
    votes = catch_up_votes(message)
    stages = votes[: len(message.prevotes)], votes[len(message.prevotes) :]
    verdicts = [judge_stage(stage, rounds) for stage in stages]
    return next(
        (verdict for verdict in verdicts if verdict is not GrandpaVerdict.ACCEPT),
        GrandpaVerdict.ACCEPT,
    )


def catch_up_votes(message: CatchUp) -> list[SignedMessage]:
    """The votes of a catch-up as they were signed."""
    prevotes = [
        SignedMessage(
            Prevote(signed.prevote.target_hash, signed.prevote.target_number),
            signed.signature,
            signed.id,
        )
        for signed in message.prevotes
    ]
    precommits = [
        SignedMessage(
            Precommit(signed.precommit.target_hash, signed.precommit.target_number),
            signed.signature,
            signed.id,
        )
        for signed in message.precommits
    ]
    return prevotes + precommits
