"""Proof that a block is final: a round's commit, with the headers that tie its votes to the block.

A justification stands for itself: who knows the authorities and their set id needs nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from parahost.consensus.grandpa.blocks import BlockRef, HeaderSource
from parahost.consensus.grandpa.commits import (
    Descent,
    by_voter,
    check_commit,
    first_unsigned,
    target_of,
)
from parahost.consensus.grandpa.errors import (
    BadPrecommitSignature,
    MalformedJustification,
    MissingAncestry,
    UnconnectedVote,
    UnusedAncestry,
    WrongTarget,
)
from parahost.consensus.grandpa.messages import SignedMessage
from parahost.consensus.grandpa.voters import VoterSet
from parahost.consensus.grandpa.votes import commit_of, votes_of
from parahost.consensus.pieces import Pieces
from parahost.ports import Verifier
from parahost.primitives.basic import U64, GrandpaId, Hash
from parahost.primitives.consensus import (
    MAX_ANCESTRY_HEADERS,
    GrandpaCommit,
    GrandpaJustification,
)
from parahost.primitives.header import Header
from parahost.primitives.limits import MAX_JUSTIFICATION_BYTES
from parahost.primitives.scale import ScaleDecodeError, decode, encode


def build_justification(
    round_number: int, commit: GrandpaCommit, voters: VoterSet, headers: HeaderSource
) -> bytes | None:
    """The smallest proof that a commit has in it: its votes nearest to the target, as many as are
    needed, with the headers from their blocks up to the target, without it. ``None`` when that is
    larger than anybody takes: the votes lie too far above. A later block's will do.
    """
    target = target_of(commit)
    descent = Descent(target, headers)
    chosen: list[SignedMessage] = []
    ancestry: list[Header] = []
    behind = 0

    def height(votes: Sequence[SignedMessage]) -> tuple[int, int]:
        return (votes[0].target if len(votes) == 1 else target).number, len(votes)

    for votes in sorted(by_voter(votes_of(commit), 0, voters).values(), key=height):
        if voters.weight(behind) >= voters.threshold:
            break
        try:
            ancestry += descent.follow(votes[0]) if len(votes) == 1 else []
        except (MissingAncestry, UnconnectedVote):
            continue
        chosen += votes
        behind |= 1 << (voters.index(votes[0].id) or 0)
    if voters.weight(behind) < voters.threshold or len(ancestry) > MAX_ANCESTRY_HEADERS:
        return None
    ancestry.sort(key=lambda header: (header.number, header.hash()))
    proof = encode(
        GrandpaJustification(U64(round_number), commit_of(target, chosen), tuple(ancestry))
    )
    return proof if len(proof) <= MAX_JUSTIFICATION_BYTES else None


def verify_justification(
    data: bytes,
    set_id: int,
    authorities: Iterable[tuple[GrandpaId, int]],
    verifier: Verifier,
    target: BlockRef | None = None,
) -> Pieces[GrandpaJustification]:
    """Check a justification against the authorities of a set; ``target`` is the block that it
    should be for, if that matters. All that is cheap to check comes before the signatures.

    :raises JustificationError: in one of its kinds.
    """
    justification = _decoded(data)
    commit = justification.commit
    if target is not None and target_of(commit) != target:
        raise WrongTarget(target, target_of(commit))
    yield
    ancestry = _Headers(justification.votes_ancestries)
    check_commit(commit, set_id, VoterSet(authorities), ancestry)
    yield
    votes = votes_of(commit)
    _check_needed(justification.votes_ancestries, votes, target_of(commit), ancestry)
    yield
    unsigned = yield from first_unsigned(votes, justification.round, set_id, verifier)
    if unsigned is not None:
        raise BadPrecommitSignature(set_id, unsigned.id)
    return justification


def _decoded(data: bytes) -> GrandpaJustification:
    if len(data) > MAX_JUSTIFICATION_BYTES:
        raise MalformedJustification(f"{len(data)} bytes")
    try:
        justification: GrandpaJustification = decode(GrandpaJustification, data)
    except ScaleDecodeError as error:
        raise MalformedJustification(str(error)) from error
    return justification


class _Headers:
    """The headers that a justification brings."""

    def __init__(self, headers: Iterable[Header]) -> None:
        self._by_hash = {header.hash(): header for header in headers}

    def header(self, block: Hash) -> Header | None:
        return self._by_hash.get(block)


def _check_needed(
    brought: Sequence[Header], votes: Sequence[SignedMessage], target: BlockRef, headers: _Headers
) -> None:
    """Each header is needed by a vote, on the way to the target or, as Polkadot brings them for
    the votes of an equivocator, to the lowest block that is voted for.

    :raises UnusedAncestry:
    """
    base = min([target, *(vote.target for vote in votes)], key=lambda block: block.number)
    needed: set[Hash] = set()
    for end in {target, base}:
        descent = Descent(end, headers)
        for vote in votes:
            try:
                needed.update(header.hash() for header in descent.follow(vote))
            except (MissingAncestry, UnconnectedVote):
                continue  # an equivocator's, which needs none
    times = Counter(header.hash() for header in brought)
    unused = {hash for hash, count in times.items() if hash not in needed or count > 1}
    if unused:
        raise UnusedAncestry(frozenset(unused))
