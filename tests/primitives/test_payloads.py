"""What is signed, byte by byte as it is written down (D10, D11); how many votes are enough (D7).
Expectations are written out here: nothing is computed with the code under test."""

from __future__ import annotations

import pytest

from parahost.primitives.availability import (
    SignedAvailabilityBitfield,
    availability_threshold,
    bitfield_payload,
    byzantine_threshold,
    is_backing_majority,
    recovery_threshold,
    supermajority_threshold,
)
from parahost.primitives.basic import (
    H256,
    H512,
    U32,
    CandidateHash,
    Hash,
    ParaId,
    SessionIndex,
    ValidationCodeHash,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.candidates import collator_payload
from parahost.primitives.scale import BitVec
from parahost.primitives.statements import (
    Invalid,
    Seconded,
    SignedStatement,
    SigningContext,
    Valid,
    statement_payload,
)

CANDIDATE = CandidateHash(H256(b"\xcc" * 32))
PARENT = Hash(H256(b"\x99" * 32))
CONTEXT = SigningContext(SessionIndex(U32(0x0A0B0C0D)), PARENT)
SIGNATURE = ValidatorSignature(H512(bytes(64)))


def validator(number: int) -> ValidatorIndex:
    return ValidatorIndex(U32(number))


@pytest.mark.guide("A111")
@pytest.mark.parametrize(("kind", "tag"), [(Seconded, "01"), (Valid, "02"), (Invalid, "03")])
def test_a_statement(kind: type[Seconded] | type[Valid] | type[Invalid], tag: str) -> None:
    expected = bytes.fromhex("424b4e47" + tag + "cc" * 32 + "0d0c0b0a" + "99" * 32)
    assert statement_payload(kind, CANDIDATE, CONTEXT) == expected


@pytest.mark.guide("A111")
def test_a_signed_statement_is_about_its_own_candidate() -> None:
    valid = SignedStatement(Valid(CANDIDATE), validator(7), SIGNATURE)
    invalid = SignedStatement(Invalid(CANDIDATE), validator(7), SIGNATURE)
    rest = "cc" * 32 + "0d0c0b0a" + "99" * 32
    assert valid.payload(CONTEXT) == bytes.fromhex("424b4e4702" + rest)
    assert invalid.payload(CONTEXT) == bytes.fromhex("424b4e4703" + rest)


@pytest.mark.guide("A112")
@pytest.mark.parametrize(
    ("bits", "scale"),
    [
        ([], "00"),
        ([True], "0401"),
        ([True, False, False, False, False, False, False, False, True], "240101"),
        ([False, True, True, False], "1006"),
    ],
)
def test_a_bitfield(bits: list[bool], scale: str) -> None:
    """The length in bits, compact; the bits, the least significant first; session; parent;
    validator."""
    ones = [place for place, bit in enumerate(bits) if bit]
    field = BitVec.with_ones(len(bits), ones)
    expected = bytes.fromhex(scale + "0d0c0b0a" + "99" * 32 + "04030201")
    assert bitfield_payload(field, validator(0x01020304), CONTEXT) == expected
    signed = SignedAvailabilityBitfield(field, validator(0x01020304), SIGNATURE)
    assert signed.payload(CONTEXT) == expected


@pytest.mark.guide("A114")
def test_a_collation() -> None:
    payload = collator_payload(
        PARENT,
        ParaId(U32(0x000007D0)),
        H256(b"\x11" * 32),
        H256(b"\x22" * 32),
        ValidationCodeHash(H256(b"\x33" * 32)),
    )
    assert payload == bytes.fromhex("99" * 32 + "d0070000" + "11" * 32 + "22" * 32 + "33" * 32)
    assert len(payload) == 132


THRESHOLDS = {  # validators: faulty, available and supermajority, recoverable
    1: (0, 1, 1),
    2: (0, 2, 1),
    3: (0, 3, 1),
    4: (1, 3, 2),
    5: (1, 4, 2),
    6: (1, 5, 2),
    7: (2, 5, 3),
    9: (2, 7, 3),
    10: (3, 7, 4),
    100: (33, 67, 34),
    999: (332, 667, 333),
    1000: (333, 667, 334),
}


@pytest.mark.guide("A43", "A62")
@pytest.mark.parametrize("validators", THRESHOLDS)
def test_thresholds(validators: int) -> None:
    faulty, most, recoverable = THRESHOLDS[validators]
    assert byzantine_threshold(validators) == faulty
    assert availability_threshold(validators) == most
    assert supermajority_threshold(validators) == most
    assert recovery_threshold(validators) == recoverable


@pytest.mark.guide("A46", "A76")
def test_backing_takes_more_than_half() -> None:
    least = {1: 1, 2: 2, 3: 2, 4: 3, 5: 3, 6: 4, 10: 6}
    for size, votes in least.items():
        assert is_backing_majority(votes, size)
        assert not is_backing_majority(votes - 1, size)
