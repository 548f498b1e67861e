"""Proof that a block is final: a round's commit, with the headers that tie its votes to the block.

A justification stands for itself: who knows the authorities and their set id needs nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable

from parahost.consensus.grandpa.blocks import BlockRef, HeaderSource
from parahost.consensus.grandpa.messages import payload_of
from parahost.consensus.grandpa.voters import VoterSet
from parahost.consensus.grandpa.votes import votes_of
from parahost.ports import Verifier
from parahost.primitives.basic import U64, GrandpaId, Hash
from parahost.primitives.consensus import GrandpaCommit, GrandpaJustification
from parahost.primitives.header import Header
from parahost.primitives.scale import ScaleDecodeError, decode


class JustificationError(Exception):
    """A justification does not prove what it is said to."""


class MalformedJustification(JustificationError):
    """Its bytes are not one."""


class WrongTarget(JustificationError):
    """It proves another block's finality."""

    def __init__(self, expected: BlockRef, found: BlockRef) -> None:
        super().__init__(f"justifies {found}, not {expected}")
        self.expected = expected
        self.found = found


class WrongSet(JustificationError):
    """A signer is no authority of the set."""

    def __init__(self, set_id: int, signer: GrandpaId) -> None:
        super().__init__(f"{signer.hex()} is no authority of set {set_id}")
        self.set_id = set_id
        self.signer = signer


class BadSignature(JustificationError):
    """A signature does not fit its precommit, its round, or the set id."""

    def __init__(self, set_id: int, signer: GrandpaId) -> None:
        super().__init__(f"no signature of {signer.hex()} for set {set_id}")
        self.set_id = set_id
        self.signer = signer


class InsufficientWeight(JustificationError):
    """Those who precommitted are no supermajority, each counted once."""

    def __init__(self, weight: int, threshold: int) -> None:
        super().__init__(f"precommits weigh {weight}, {threshold} are needed")
        self.weight = weight
        self.threshold = threshold


class UnconnectedVote(JustificationError):
    """A precommitted block does not lead to the target by the headers that are there."""

    def __init__(self, signer: GrandpaId, block: BlockRef) -> None:
        super().__init__(f"precommit for {block} of {signer.hex()} does not lead to the target")
        self.signer = signer
        self.block = block


class UnusedAncestry(JustificationError):
    """Headers are there that no precommit needs."""

    def __init__(self, headers: frozenset[Hash]) -> None:
        super().__init__(f"{len(headers)} headers that no precommit needs")
        self.headers = headers


def target_of(commit: GrandpaCommit) -> BlockRef:
    return BlockRef(commit.target_hash, commit.target_number)


def build_justification(
    round_number: int, commit: GrandpaCommit, headers: HeaderSource
) -> GrandpaJustification:
    """The commit with all headers from its precommitted blocks up to its target, without it."""
    target = target_of(commit)
    needed: dict[Hash, Header] = {}
    for vote in votes_of(commit):
        needed.update((header.hash(), header) for header in _route(vote.target, target, headers))
    return GrandpaJustification(
        U64(round_number),
        commit,
        tuple(sorted(needed.values(), key=lambda header: (header.number, header.hash()))),
    )


def verify_justification(
    data: bytes,
    set_id: int,
    authorities: Iterable[tuple[GrandpaId, int]],
    verifier: Verifier,
    target: BlockRef | None = None,
) -> GrandpaJustification:
    """Check a justification against the authorities of a set, and against the block that it
    should be for if ``target`` is given.

    :raises JustificationError: in one of its kinds.
    """
    try:
        justification: GrandpaJustification = decode(GrandpaJustification, data)
    except ScaleDecodeError as error:
        raise MalformedJustification(str(error)) from error
    commit = justification.commit
    if target is not None and target_of(commit) != target:
        raise WrongTarget(target, target_of(commit))
    ancestry = _Headers(justification.votes_ancestries)
    check_commit(commit, set_id, VoterSet(authorities), ancestry)
    for vote in votes_of(commit):
        payload = payload_of(vote.message, justification.round, set_id)
        if not verifier.ed25519(vote.id, payload, vote.signature):
            raise BadSignature(set_id, vote.id)
    if unused := frozenset(ancestry.by_hash) - ancestry.used:
        raise UnusedAncestry(unused)
    return justification


def check_commit(
    commit: GrandpaCommit, set_id: int, voters: VoterSet, headers: HeaderSource
) -> None:
    """Check all of a commit but its signatures: its voters, that each vote is for the target or
    a descendant, and the weight. An equivocator, with two different votes in it, counts once,
    whatever it voted for.

    :raises WrongSet:
    :raises UnconnectedVote:
    :raises InsufficientWeight:
    """
    target = target_of(commit)
    voted: dict[GrandpaId, set[BlockRef]] = {}
    for vote in votes_of(commit):
        if voters.index(vote.id) is None:
            raise WrongSet(set_id, vote.id)
        voted.setdefault(vote.id, set()).add(vote.target)
    counted = 0
    for voter, blocks in voted.items():
        for block in blocks:
            if _route_to(block, target, headers) is None and len(blocks) == 1:
                raise UnconnectedVote(voter, block)
        counted |= 1 << (voters.index(voter) or 0)
    if voters.weight(counted) < voters.threshold:
        raise InsufficientWeight(voters.weight(counted), voters.threshold)


class _Headers:
    """The headers that a justification brings, and which of them were of use."""

    def __init__(self, headers: Iterable[Header]) -> None:
        self.by_hash = {header.hash(): header for header in headers}
        self.used: set[Hash] = set()

    def header(self, block: Hash) -> Header | None:
        found = self.by_hash.get(block)
        if found is not None:
            self.used.add(block)
        return found


def _route(block: BlockRef, target: BlockRef, headers: HeaderSource) -> list[Header]:
    return _route_to(block, target, headers) or []


def _route_to(block: BlockRef, target: BlockRef, headers: HeaderSource) -> list[Header] | None:
    """The headers from a block up to the target, without the target's; ``None`` when the block
    does not descend from it, or its number is wrong."""
    route: list[Header] = []
    at = block.hash
    for number in range(block.number, target.number, -1):
        header = headers.header(at)
        if header is None or header.number != number:
            return None
        route.append(header)
        at = header.parent_hash
    return route if at == target.hash and block.number >= target.number else None
