"""Justifications: a real one, and every way in which one can fail to prove."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from parahost.consensus.grandpa.blocks import BlockRef
from parahost.consensus.grandpa.justification import (
    BadSignature,
    InsufficientWeight,
    MalformedJustification,
    UnconnectedVote,
    UnusedAncestry,
    WrongSet,
    WrongTarget,
    build_justification,
    verify_justification,
)
from parahost.consensus.grandpa.messages import payload_of
from parahost.crypto import ed25519
from parahost.primitives.basic import H256, H512, U32, U64, BlockNumber, GrandpaId, Hash
from parahost.primitives.consensus import (
    GrandpaCommit,
    GrandpaJustification,
    PlainPrecommit,
    Precommit,
    SignedPrecommit,
)
from parahost.primitives.header import Header
from parahost.primitives.scale import decode, encode
from tests.consensus.grandpa.world import GENESIS, SharedVerifier, Tree, chain_of, ref

VECTORS = Path(__file__).parents[2] / "vectors"
VERIFIER = SharedVerifier()
KEYS = [ed25519.Keypair.from_uri(f"//voter{index}") for index in range(4)]
VOTERS = [(GrandpaId(H256(key.public)), U64(1)) for key in KEYS]
ROUND, SET = 7, 3
MAIN = chain_of(GENESIS, 5, 1)
SIDE = chain_of(GENESIS, 2, 2)
TARGET = ref(MAIN[1])


@pytest.fixture
def tree() -> Tree:
    tree = Tree()
    for header in MAIN + SIDE:
        tree.add(header)
    return tree


def precommit(block: Header, key: ed25519.Keypair) -> SignedPrecommit:
    payload = payload_of(Precommit(block.hash(), block.number), ROUND, SET)
    signature = H512(ed25519.sign(key, payload))
    return SignedPrecommit(
        PlainPrecommit(block.hash(), block.number),
        signature,
        GrandpaId(H256(key.public)),  # type: ignore[arg-type]
    )


def proof(tree: Tree, votes: Sequence[tuple[Header, int]]) -> GrandpaJustification:
    precommits = tuple(precommit(block, KEYS[index]) for block, index in votes)
    return build_justification(ROUND, GrandpaCommit(TARGET.hash, TARGET.number, precommits), tree)


def verify(justification: GrandpaJustification, target: BlockRef | None = TARGET) -> None:
    verify_justification(encode(justification), SET, VOTERS, VERIFIER, target)


def test_a_real_justification() -> None:
    data = (VECTORS / "grandpa_justification_302592.bin").read_bytes()
    facts = json.loads((VECTORS / "grandpa_justification.json").read_text())["justification"]
    target = BlockRef(
        Hash(H256(bytes.fromhex(facts["target_hash"]))), BlockNumber(U32(facts["target_number"]))
    )
    signers = [signed.id for signed in decode(GrandpaJustification, data).commit.precommits]
    authorities = [(signer, 1) for signer in signers]
    found = verify_justification(data, facts["set_id"], authorities, VERIFIER, target)
    assert (found.round, len(signers)) == (facts["round"], facts["precommits"])
    assert encode(found) == data
    with pytest.raises(BadSignature):
        verify_justification(data, facts["set_id"] + 1, authorities, VERIFIER, target)
    with pytest.raises(WrongSet):
        verify_justification(data, facts["set_id"], authorities[1:], VERIFIER, target)


def test_votes_for_descendants_bring_their_headers(tree: Tree) -> None:
    good = proof(tree, [(MAIN[1], 0), (MAIN[3], 1), (MAIN[4], 2)])
    assert set(good.votes_ancestries) == set(MAIN[2:])
    verify(good)
    verify(good, None)


def test_another_target(tree: Tree) -> None:
    good = proof(tree, [(MAIN[1], index) for index in range(3)])
    with pytest.raises(WrongTarget) as error:
        verify(good, ref(MAIN[2]))
    assert (error.value.expected, error.value.found) == (ref(MAIN[2]), TARGET)


def test_too_few(tree: Tree) -> None:
    with pytest.raises(InsufficientWeight) as error:
        verify(proof(tree, [(MAIN[1], 0), (MAIN[1], 1), (MAIN[1], 1)]))
    assert (error.value.weight, error.value.threshold) == (2, 3)


def test_an_equivocator_counts_once_whatever_it_voted_for(tree: Tree) -> None:
    twice = [(MAIN[2], 2), (SIDE[1], 2)]
    verify(proof(tree, [(MAIN[1], 0), (MAIN[1], 1), *twice]))
    with pytest.raises(InsufficientWeight):
        verify(proof(tree, [(MAIN[1], 0), *twice]))


def test_a_vote_that_does_not_lead_to_the_target(tree: Tree) -> None:
    votes = [(MAIN[1], 0), (MAIN[1], 1), (MAIN[1], 2)]
    with pytest.raises(UnconnectedVote) as error:
        verify(proof(tree, [*votes, (SIDE[1], 3)]))
    assert error.value.block == ref(SIDE[1])
    with pytest.raises(UnconnectedVote):
        verify(proof(tree, [*votes, (MAIN[0], 3)]))
    good = proof(tree, [*votes, (MAIN[4], 3)])
    with pytest.raises(UnconnectedVote):
        verify(replace(good, votes_ancestries=good.votes_ancestries[1:]))


def test_headers_that_nobody_needs(tree: Tree) -> None:
    good = proof(tree, [(MAIN[1], index) for index in range(3)])
    with pytest.raises(UnusedAncestry) as error:
        verify(replace(good, votes_ancestries=(SIDE[0],)))
    assert error.value.headers == {SIDE[0].hash()}


def test_each_signature_and_each_byte_counts(tree: Tree) -> None:
    good = proof(tree, [(MAIN[1], index) for index in range(3)])
    with pytest.raises(BadSignature):
        verify(replace(good, round=U64(ROUND + 1)))
    data = encode(good)
    for bad in (b"", data[:-1], data + b"\0"):
        with pytest.raises(MalformedJustification):
            verify_justification(bad, SET, VOTERS, VERIFIER, TARGET)
