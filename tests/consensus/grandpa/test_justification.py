"""Justifications: a real one, and every way in which one can fail to prove."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from parahost.consensus.grandpa.blocks import BlockRef
from parahost.consensus.grandpa.errors import (
    BadPrecommitSignature,
    InsufficientWeight,
    JustificationError,
    MalformedJustification,
    MissingAncestry,
    RedundantVote,
    UnconnectedVote,
    UnusedAncestry,
    WrongSet,
    WrongTarget,
)
from parahost.consensus.grandpa.justification import build_justification, verify_justification
from parahost.consensus.grandpa.messages import payload_of
from parahost.consensus.grandpa.voters import VoterSet
from parahost.consensus.turns import in_turns
from parahost.crypto import ed25519
from parahost.primitives.basic import (
    H256,
    H512,
    U32,
    U64,
    BlockNumber,
    GrandpaId,
    GrandpaSignature,
    Hash,
)
from parahost.primitives.consensus import (
    MAX_ANCESTRY_HEADERS,
    GrandpaCommit,
    GrandpaJustification,
    PlainPrecommit,
    Precommit,
    SignedPrecommit,
)
from parahost.primitives.header import Header
from parahost.primitives.limits import MAX_JUSTIFICATION_BYTES
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
    signature = GrandpaSignature(H512(ed25519.sign(key, payload)))
    return SignedPrecommit(
        PlainPrecommit(block.hash(), block.number),
        signature,
        GrandpaId(H256(key.public)),
    )


def commit(votes: Sequence[tuple[Header, int]]) -> GrandpaCommit:
    """A commit for ``TARGET`` with these blocks' precommits of these voters."""
    precommits = tuple(precommit(block, KEYS[index]) for block, index in votes)
    return GrandpaCommit(TARGET.hash, TARGET.number, precommits)


def proof(
    votes: Sequence[tuple[Header, int]], headers: Sequence[Header] = ()
) -> GrandpaJustification:
    """A justification written out, good or bad."""
    return GrandpaJustification(U64(ROUND), commit(votes), tuple(headers))


async def verify(justification: GrandpaJustification, target: BlockRef | None = TARGET) -> None:
    await in_turns(verify_justification(encode(justification), SET, VOTERS, VERIFIER, target))


def built(tree: Tree, votes: Sequence[tuple[Header, int]]) -> GrandpaJustification:
    data = build_justification(ROUND, commit(votes), VoterSet(VOTERS), tree)
    assert data is not None
    made: GrandpaJustification = decode(GrandpaJustification, data)
    return made


AT_TARGET = [(MAIN[1], index) for index in range(3)]


async def test_a_real_justification() -> None:
    data = (VECTORS / "grandpa_justification_302592.bin").read_bytes()
    facts = json.loads((VECTORS / "grandpa_justification.json").read_text())["justification"]
    target = BlockRef(
        Hash(H256(bytes.fromhex(facts["target_hash"]))), BlockNumber(U32(facts["target_number"]))
    )
    signers = [signed.id for signed in decode(GrandpaJustification, data).commit.precommits]
    authorities = [(signer, 1) for signer in signers]
    found = await in_turns(
        verify_justification(data, facts["set_id"], authorities, VERIFIER, target)
    )
    assert (found.round, len(signers)) == (facts["round"], facts["precommits"])
    assert encode(found) == data
    with pytest.raises(BadPrecommitSignature):
        await in_turns(
            verify_justification(data, facts["set_id"] + 1, authorities, VERIFIER, target)
        )
    with pytest.raises(WrongSet):
        await in_turns(
            verify_justification(data, facts["set_id"], authorities[1:], VERIFIER, target)
        )


async def test_votes_for_descendants_bring_their_headers(tree: Tree) -> None:
    good = built(tree, [(MAIN[1], 0), (MAIN[3], 1), (MAIN[4], 2)])
    assert set(good.votes_ancestries) == set(MAIN[2:])
    await verify(good)
    await verify(good, None)


async def test_what_is_built_is_the_least_that_proves(tree: Tree) -> None:
    """The nearest votes; an equivocator's only where others do not suffice."""
    near = built(tree, [(MAIN[4], 3), (MAIN[2], 1), (MAIN[1], 0), (MAIN[1], 2)])
    assert [vote.id for vote in near.commit.precommits] == [VOTERS[index][0] for index in (0, 2, 1)]
    assert near.votes_ancestries == (MAIN[2],)
    twice = [(MAIN[2], 3), (SIDE[1], 3)]
    assert len(built(tree, [*twice, *AT_TARGET]).commit.precommits) == 3
    needed = built(tree, [*twice, *AT_TARGET[:2]])
    assert (len(needed.commit.precommits), needed.votes_ancestries) == (4, ())
    await verify(needed)


def test_no_proof_is_built_without_its_headers(tree: Tree) -> None:
    """Neither of votes for blocks that are not here, nor one that is larger than all take."""
    unknown = chain_of(MAIN[4], 1, 9)[0]
    voters = VoterSet(VOTERS)
    lacking = commit([*AT_TARGET[:2], (unknown, 2)])
    assert build_justification(ROUND, lacking, voters, tree) is None
    far = chain_of(MAIN[1], MAX_ANCESTRY_HEADERS + 1, 7)
    for header in far:
        tree.add(header)
    high = commit([*AT_TARGET[:2], (far[-1], 2)])
    assert build_justification(ROUND, high, voters, tree) is None
    lower = commit([*AT_TARGET[:2], (far[-2], 2)])
    assert build_justification(ROUND, lower, voters, tree) is not None


async def test_another_target() -> None:
    with pytest.raises(WrongTarget) as error:
        await verify(proof(AT_TARGET), ref(MAIN[2]))
    assert (error.value.expected, error.value.found) == (ref(MAIN[2]), TARGET)


async def test_too_few() -> None:
    with pytest.raises(InsufficientWeight) as error:
        await verify(proof(AT_TARGET[:2]))
    assert (error.value.weight, error.value.threshold) == (2, 3)


async def test_an_equivocator_counts_once_whatever_it_voted_for() -> None:
    """Its two votes are judged together: neither needs to lead anywhere, nor its header."""
    nowhere = chain_of(SIDE[1], 1, 5)[0]
    for one, other in ((MAIN[1], SIDE[1]), (SIDE[0], nowhere), (MAIN[0], nowhere)):
        twice = [(one, 2), (other, 2)]
        await verify(proof([*AT_TARGET[:2], *twice]))
        with pytest.raises(InsufficientWeight):
            await verify(proof([*AT_TARGET[:1], *twice]))


async def test_one_vote_of_a_voter_or_two_that_equivocate() -> None:
    """A genuine justification is not made longer by its own votes."""
    for padded in (
        [*AT_TARGET, AT_TARGET[0]],
        AT_TARGET * 600,
        [*AT_TARGET[:2], (MAIN[1], 2), (SIDE[0], 2), (SIDE[1], 2)],
        [*AT_TARGET[:2], (SIDE[0], 2), (SIDE[0], 2)],
    ):
        with pytest.raises(RedundantVote):
            await verify(proof(padded))
    vote = encode(precommit(MAIN[1], KEYS[0]))
    head = encode(proof([]))[: 8 + 32 + 4]
    more_than_1000_voters_have = ((2001 << 2) | 1).to_bytes(2, "little") + vote * 2001
    with pytest.raises(MalformedJustification, match="2001 elements"):
        await in_turns(
            verify_justification(
                head + more_than_1000_voters_have + b"\0", SET, VOTERS, VERIFIER, TARGET
            )
        )


async def test_a_vote_that_does_not_lead_to_the_target() -> None:
    for stray in (SIDE[1], MAIN[0]):
        with pytest.raises(UnconnectedVote) as error:
            await verify(proof([*AT_TARGET, (stray, 3)], SIDE))
        assert error.value.block == ref(stray)
    wrong_number = replace(MAIN[2], number=BlockNumber(U32(5)))
    with pytest.raises(UnconnectedVote):
        await verify(proof([*AT_TARGET, (wrong_number, 3)], [wrong_number]))


async def test_a_header_that_lies_about_its_number() -> None:
    """Its hash covers the lie, and it leads to the target; but no chain has such a block."""
    liar = replace(MAIN[2], number=BlockNumber(U32(MAIN[2].number + 4)))
    above = replace(MAIN[3], parent_hash=liar.hash())
    with pytest.raises(UnconnectedVote):
        await verify(proof([(MAIN[1], 0), (MAIN[1], 1), (above, 2)], [liar, above]))


@pytest.mark.parametrize("missing", [2, 3, 4])
async def test_a_header_that_is_missing(missing: int) -> None:
    votes = [*AT_TARGET, (MAIN[4], 3)]
    await verify(proof(votes, MAIN[2:]))
    with pytest.raises(MissingAncestry) as error:
        await verify(proof(votes, [header for header in MAIN[2:] if header != MAIN[missing]]))
    assert error.value.missing == MAIN[missing].hash()
    assert error.value.block == ref(MAIN[4])


async def test_headers_that_nobody_needs() -> None:
    above = [*AT_TARGET, (MAIN[2], 3)]
    for votes, headers, unused in (
        (AT_TARGET, [SIDE[0]], SIDE[0]),
        (AT_TARGET, [MAIN[1]], MAIN[1]),
        (above, MAIN[2:4], MAIN[3]),
        (above, [MAIN[2], MAIN[2]], MAIN[2]),
        ([*AT_TARGET, (MAIN[2], 3), (SIDE[1], 3)], [MAIN[2], SIDE[0]], SIDE[0]),
    ):
        with pytest.raises(UnusedAncestry) as error:
            await verify(proof(votes, headers))
        assert error.value.headers == {unused.hash()}


async def test_polkadot_ties_an_equivocators_votes_to_the_lowest_block() -> None:
    """It brings the headers from there up to each vote, the target's own among them."""
    lowest = [*AT_TARGET[:2], (MAIN[0], 2), (MAIN[2], 2)]
    await verify(proof(lowest, MAIN[1:3]))


async def test_what_is_cheap_comes_before_the_signatures() -> None:
    class Unasked(SharedVerifier):
        def ed25519(self, public: bytes, message: bytes, signature: bytes) -> bool:
            raise AssertionError("verified")

    for bad in (
        proof(AT_TARGET[:2]),
        proof([*AT_TARGET, AT_TARGET[0]]),
        proof([*AT_TARGET, (MAIN[2], 3)]),
        proof(AT_TARGET, [SIDE[0]]),
    ):
        with pytest.raises(JustificationError):
            await in_turns(verify_justification(encode(bad), SET, VOTERS, Unasked(), TARGET))


async def test_each_signature_and_each_byte_counts() -> None:
    good = proof(AT_TARGET)
    with pytest.raises(BadPrecommitSignature):
        await verify(replace(good, round=U64(ROUND + 1)))
    data = encode(good)
    for bad in (b"", data[:-1], data + b"\0", bytes(MAX_JUSTIFICATION_BYTES + 1)):
        with pytest.raises(MalformedJustification):
            await in_turns(verify_justification(bad, SET, VOTERS, VERIFIER, TARGET))
