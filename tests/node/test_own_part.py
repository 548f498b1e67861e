"""What the journal says of this node's own part in the chain."""

from __future__ import annotations

from typing import cast

import pytest

from parahost.chain.errors import UnknownBlock
from parahost.consensus.grandpa.messages import payload_of
from parahost.crypto.keystore import KeyRing, ProtectedKeyStore
from parahost.node.own_part import OwnPart
from parahost.node.own_signatures import deed_of
from parahost.ports import KeyStore, KeyType
from parahost.primitives.approval import approval_payload
from parahost.primitives.availability import bitfield_payload
from parahost.primitives.basic import (
    H256,
    U32,
    U64,
    BabeId,
    BlockNumber,
    CandidateHash,
    Hash,
    SessionIndex,
    Slot,
    ValidatorId,
    ValidatorIndex,
)
from parahost.primitives.consensus import Prevote
from parahost.primitives.disputes import dispute_payload
from parahost.primitives.events import BlockImportEvent
from parahost.primitives.header import Extrinsic, Header
from parahost.primitives.scale import BitVec
from parahost.primitives.statements import (
    Invalid,
    Seconded,
    SigningContext,
    Statement,
    Valid,
    statement_payload,
)
from parahost.storage.memory import MemoryDatabase
from tests.chain.world import ManualClock
from tests.consensus.babe.world import PARAMETERS
from tests.node.harness import ListJournal


def word(number: int) -> H256:
    return H256(bytes((number,)) * 32)


OURS, OTHER = BabeId(word(1)), BabeId(word(2))
CLOCK = ManualClock()
BEGAN = PARAMETERS.slot_at(CLOCK.now())


class PublicKeys:
    def public_keys(self, key_type: KeyType) -> tuple[bytes, ...]:
        return (OURS,)


KEYS = cast(KeyStore, PublicKeys())
"""Nothing is signed here."""


def imported(block: int) -> BlockImportEvent:
    header = Header(Hash(word(0)), BlockNumber(U32(7)), word(0), word(0), ())
    return BlockImportEvent(Hash(word(block)), header, new_best=True)


class Made:
    """Every block is of one author and slot, and holds four extrinsics."""

    def __init__(self, author: BabeId, slot: int) -> None:
        self._author = author, Slot(U64(slot))

    def author(self, block: Hash) -> tuple[BabeId, Slot]:
        return self._author

    def body(self, block: Hash) -> tuple[Extrinsic, ...]:
        return (Extrinsic(b"x"),) * 4


class Unknown(Made):
    """No block is known."""

    def __init__(self) -> None:
        super().__init__(OTHER, 0)

    def author(self, block: Hash) -> tuple[BabeId, Slot]:
        raise UnknownBlock(block)


def told(author: BabeId, slot: int, *, sealed: int) -> list[str]:
    """What is recorded of block 9 when this node has sealed another, or that one."""
    journal = ListJournal()
    part = OwnPart(
        journal,
        KEYS,
        CLOCK,
        PARAMETERS,
        Made(author, slot),
    )
    part.sealed(Hash(word(sealed)))
    part.imported(imported(9), backed=2)
    return journal.names()


def test_our_own_block() -> None:
    assert told(OURS, BEGAN + 1, sealed=9) == ["author.made"]


def test_a_block_of_ours_that_we_have_not_made() -> None:
    assert told(OURS, BEGAN + 1, sealed=8) == ["keys.used_elsewhere"]


def test_what_an_earlier_life_of_ours_may_have_made_is_no_alarm() -> None:
    assert told(OURS, BEGAN, sealed=8) == []


def test_others_blocks_are_not_ours() -> None:
    assert told(OTHER, BEGAN + 1, sealed=8) == []


# Signatures

SESSION, ROUND = 3, 5
HEAD, CANDIDATE, ANOTHER = Hash(word(9)), CandidateHash(word(5)), CandidateHash(word(6))
SESSION_BEFORE = SessionIndex(U32(SESSION - 1))
CONTEXT = SigningContext(SessionIndex(U32(SESSION)), HEAD)
PARA, GRANDPA = KeyType.PARACHAIN, KeyType.GRANDPA


def statement(candidate: CandidateHash, kind: type[Statement] = Valid) -> bytes:
    return statement_payload(kind, candidate, CONTEXT)


def vote(block: int, round_number: int = ROUND, set_id: int = SESSION) -> bytes:
    return payload_of(Prevote(Hash(word(block)), BlockNumber(U32(7))), round_number, set_id)


def bits(*ones: int) -> bytes:
    return bitfield_payload(BitVec.with_ones(17, ones), ValidatorIndex(U32(1)), CONTEXT)


KEYS_OF = {role: KeyRing.of([(role, "//one")]).public_keys(role)[0] for role in (PARA, GRANDPA)}


class Life:
    """One life of a node: what it signs, and what it hears that its keys have signed. Blocks that
    are known are of that slot, counted from its beginning."""

    def __init__(self, record: MemoryDatabase, slot: int | None = None, began_in: int = 0) -> None:
        self.keys = ProtectedKeyStore(KeyRing.of([(PARA, "//one"), (GRANDPA, "//one")]), record)
        self.journal = ListJournal()
        blocks = Unknown() if slot is None else Made(OTHER, BEGAN + slot)
        self.part = OwnPart(self.journal, self.keys, CLOCK, PARAMETERS, blocks)
        self.part.session_is(SessionIndex(U32(began_in)), ())
        self.journal.events.clear()

    def signs(self, role: KeyType, payload: bytes) -> None:
        deed = deed_of(role, payload)
        assert deed is not None
        self.keys.sign(role, KEYS_OF[role], payload, deed.promises)

    def hears(self, role: KeyType, *payloads: bytes) -> list[str]:
        """What it says that its key signs elsewhere."""
        for payload in payloads:
            self.part.own_key_signed(role, KEYS_OF[role], payload)
        assert set(self.journal.names()) <= {"keys.used_elsewhere"}
        return [str(fields["what"]) for _, fields in self.journal.events]


def old_record() -> MemoryDatabase:
    """In which an earlier life has written."""
    record = MemoryDatabase()
    earlier = Life(record)
    earlier.signs(PARA, dispute_payload(CandidateHash(word(77)), SESSION_BEFORE, valid=True))
    earlier.signs(GRANDPA, vote(77, round_number=1))
    return record


CONTRADICTIONS = [
    (GRANDPA, vote(1), vote(2), "vote"),
    (PARA, statement(CANDIDATE), statement(CANDIDATE, Invalid), "statement"),
    (PARA, statement(CANDIDATE, Seconded), statement(ANOTHER, Seconded), "statement"),
    (PARA, bits(1), bits(2), "bitfield"),
    (
        PARA,
        statement(CANDIDATE),
        approval_payload(CANDIDATE, CONTEXT.session_index, valid=False),
        "check",
    ),
    (
        PARA,
        approval_payload(CANDIDATE, CONTEXT.session_index),
        dispute_payload(CANDIDATE, CONTEXT.session_index, valid=False),
        "dispute vote",
    ),
]


@pytest.mark.parametrize("slot", [None, 0])
@pytest.mark.parametrize(("role", "ours", "theirs", "what"), CONTRADICTIONS)
def test_what_contradicts_our_promises_was_signed_elsewhere_whatever_is_known_of_its_block(
    role: KeyType, ours: bytes, theirs: bytes, what: str, slot: int | None
) -> None:
    record = MemoryDatabase()
    life = Life(record, slot)
    life.signs(role, ours)
    assert life.hears(role, ours) == []
    assert life.hears(role, theirs, theirs) == [what]
    assert Life(record, slot).hears(role, ours, theirs) == [what], "promises outlive lives"


NOT_OURS = [
    (GRANDPA, vote(1)),
    (PARA, statement(CANDIDATE)),
    (PARA, statement(CANDIDATE, Seconded)),
    (PARA, bits(1)),
]


@pytest.mark.parametrize(("role", "payload"), NOT_OURS)
@pytest.mark.parametrize(("slot", "told"), [(0, False), (1, False), (2, True)])
def test_where_the_block_is_known_no_earlier_life_can_have_known_it(
    role: KeyType, payload: bytes, slot: int, told: bool
) -> None:
    """A block may be of the slot after the present one. A record may be younger than the keys."""
    for record in (MemoryDatabase(), old_record()):
        assert bool(Life(record, slot).hears(role, payload)) is told


@pytest.mark.parametrize(
    ("role", "payload"),
    [*NOT_OURS, (PARA, approval_payload(CANDIDATE, CONTEXT.session_index))],
)
def test_where_no_block_tells_a_record_of_earlier_lives_does(role: KeyType, payload: bytes) -> None:
    """A record that begins with this life lacks what an earlier life signed whose disk is gone."""
    assert Life(old_record(), began_in=SESSION).hears(role, payload) != []
    fresh = Life(MemoryDatabase(), began_in=SESSION)
    fresh.signs(PARA, statement(ANOTHER))
    fresh.signs(GRANDPA, vote(77, round_number=1))
    assert fresh.hears(role, payload) == []


def test_what_is_older_than_the_session_of_the_start_may_be_older_than_the_record() -> None:
    life = Life(old_record(), began_in=SESSION + 1)
    assert life.hears(PARA, approval_payload(CANDIDATE, CONTEXT.session_index)) == []


def test_a_verdict_that_was_given_otherwise_is_as_good_as_ours() -> None:
    """Two machines that say the same are not told apart."""
    life = Life(old_record())
    life.signs(PARA, statement(CANDIDATE))
    assert life.hears(PARA, approval_payload(CANDIDATE, CONTEXT.session_index)) == []


def test_what_binds_nothing_tells_nothing() -> None:
    for payload in (b"", b"BKNG", b"AVLB" + bytes(36), bytes(40), b"a record of addresses" * 9):
        assert Life(old_record()).hears(PARA, payload) == []
        assert Life(old_record()).hears(GRANDPA, payload) == []


def test_signatures_from_elsewhere_are_told_once_a_period_and_kind() -> None:
    life = Life(MemoryDatabase(), slot=2)
    heard = [vote(1, set_id=3), vote(2, set_id=3), vote(1, set_id=4), vote(2, set_id=3)]
    assert life.hears(GRANDPA, *heard) == ["vote", "vote"]
    assert life.hears(PARA, statement(CANDIDATE), statement(ANOTHER)) == [
        "vote",
        "vote",
        "statement",
    ]
    (_, fields) = life.journal.events[-1]
    assert (fields["key"], fields["period"], fields["block"]) == (KEYS_OF[PARA], SESSION, HEAD)


def test_a_session_is_told_once_with_our_place_in_it() -> None:
    journal = ListJournal()
    part = OwnPart(
        journal,
        KEYS,
        CLOCK,
        PARAMETERS,
        Made(OTHER, 0),
    )
    ours, other = ValidatorId(OURS), ValidatorId(OTHER)
    for session, validators in ((1, (other, ours)), (1, (other, ours)), (2, (other,))):
        part.session_is(SessionIndex(U32(session)), validators)
    assert [fields for _, fields in journal.events] == [
        {"session": 1, "validators": 2, "validator": 1},
        {"session": 2, "validators": 1, "validator": "none"},
    ]
