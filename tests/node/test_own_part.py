"""What the journal says of this node's own part in the chain."""

from __future__ import annotations

from typing import cast

import pytest

from parahost.chain.errors import UnknownBlock
from parahost.consensus.grandpa import TellVoteElsewhere
from parahost.consensus.grandpa.messages import SignedMessage
from parahost.node.own_part import OwnPart, OwnSignature
from parahost.node.session import ChildSession
from parahost.ports import KeyStore, KeyType
from parahost.primitives.basic import (
    H256,
    H512,
    U32,
    U64,
    BabeId,
    BlockNumber,
    CandidateHash,
    GrandpaId,
    GrandpaSignature,
    Hash,
    SessionIndex,
    Slot,
    ValidatorId,
    ValidatorIndex,
)
from parahost.primitives.consensus import Prevote
from parahost.primitives.events import BlockImportEvent
from parahost.primitives.header import Extrinsic, Header
from parahost.primitives.statements import SigningContext
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


@pytest.mark.parametrize(
    ("slot", "events"), [(0, []), (1, []), (2, ["keys.used_elsewhere"]), (None, [])]
)
def test_a_vote_for_a_block_that_no_earlier_life_can_have_known(
    slot: int | None, events: list[str]
) -> None:
    """A block may be of the slot after the present one. What is not known is of no slot."""
    journal = ListJournal()
    blocks = Unknown() if slot is None else Made(OTHER, BEGAN + slot)
    part = OwnPart(journal, KEYS, CLOCK, PARAMETERS, blocks)
    vote = Prevote(Hash(word(9)), BlockNumber(U32(7)))
    signed = SignedMessage(vote, GrandpaSignature(H512(bytes(64))), GrandpaId(OURS))
    for round_number in (5, 6):
        part.voted_elsewhere(TellVoteElsewhere(3, round_number, signed))
    assert journal.names() == events


@pytest.mark.parametrize("slot", [0, 1, 2, None])
def test_a_statement_of_ours_on_a_head_that_no_earlier_life_can_have_known(
    slot: int | None,
) -> None:
    journal = ListJournal()
    blocks = Unknown() if slot is None else Made(OTHER, BEGAN + slot)
    part = OwnPart(journal, KEYS, CLOCK, PARAMETERS, blocks)
    ours = ValidatorId(OURS)
    session = ChildSession(
        (ValidatorId(OTHER), ours), SigningContext(SessionIndex(U32(3)), Hash(word(9)))
    )
    for validator in (0, 1, 1):
        part.heard_statement(session, ValidatorIndex(U32(validator)), CandidateHash(word(5)))
    where = {"relay_parent": word(9), "candidate": word(5), "validator": 1}
    told = ("keys.used_elsewhere", {"what": "statement", "key": ours, **where})
    assert journal.events == ([told] if slot == 2 else [])


def test_signatures_of_ours_from_elsewhere_are_told_once_a_period_and_kind() -> None:
    journal = ListJournal()
    part = OwnPart(journal, KEYS, CLOCK, PARAMETERS, Made(OTHER, 0))
    deeds: tuple[tuple[OwnSignature, int], ...] = (
        ("vote", 3),
        ("vote", 3),
        ("statement", 3),
        ("vote", 4),
    )
    for what, period in deeds:
        part.on_own_signature_elsewhere(what, OURS, period, round=period)
    assert journal.events == [
        ("keys.used_elsewhere", {"what": what, "key": OURS, "round": period})
        for what, period in (("vote", 3), ("statement", 3), ("vote", 4))
    ]


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
