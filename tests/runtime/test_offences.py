"""Equivocations of both kinds are proven, kept once, and forgotten in time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from parahost.crypto import ed25519, sr25519
from parahost.primitives.basic import H256, U32, U64, BlockNumber, GrandpaSignature, Hash, Slot
from parahost.primitives.consensus import (
    BabeEquivocationProof,
    BabePreDigest,
    GrandpaEquivocationProof,
    GrandpaMessage,
    Precommit,
    Prevote,
    SecondaryPlainPreDigest,
    grandpa_payload,
)
from parahost.primitives.header import BABE_ENGINE, Extrinsic, Header, PreRuntime, Seal
from parahost.primitives.scale import encode
from parahost.runtime import api
from parahost.runtime.babe import ReportBabeEquivocation
from parahost.runtime.balances import UNIT
from parahost.runtime.errors import (
    DisabledAuthor,
    EarlyReport,
    KnownDeed,
    LateReport,
    UnprovenReport,
)
from parahost.runtime.extrinsic import inherent
from parahost.runtime.grandpa import ReportGrandpaEquivocation
from parahost.runtime.offences import OffenceKind, OffenceReported, Report
from parahost.runtime.session import SESSIONS_KEPT, SetKeys, SetValidators
from tests.runtime.world import (
    EPOCH_SLOTS,
    FIRST_SLOT,
    GENESIS,
    NAMES,
    Chain,
    account,
    grandpa_key,
    key,
    session_keys,
)

SLOT = Slot(U64(1001))
OFFENDER = "Bob"


def header(state_root: int, *, slot: int = SLOT, sealed_by: str = OFFENDER) -> Header:
    claim = SecondaryPlainPreDigest(U32(1), Slot(U64(slot)))
    unsealed = Header(
        Hash(H256(bytes(32))),
        BlockNumber(U32(2)),
        H256(bytes((state_root,)) * 32),
        H256(bytes(32)),
        (PreRuntime(BABE_ENGINE, encode(claim, BabePreDigest)),),
    )
    seal = Seal(BABE_ENGINE, sr25519.sign(key(sealed_by, "babe"), unsealed.hash()))
    return replace(unsealed, digest=(*unsealed.digest, seal))


def two_blocks(first: Header | None = None, second: Header | None = None) -> BabeEquivocationProof:
    return BabeEquivocationProof(
        session_keys(OFFENDER).babe, SLOT, first or header(1), second or header(2)
    )


def blocks_in(slot: int, of: str = OFFENDER) -> Extrinsic:
    """A report of two blocks in a slot."""
    first, second = (header(root, slot=slot, sealed_by=of) for root in (1, 2))
    proof = BabeEquivocationProof(session_keys(of).babe, Slot(U64(slot)), first, second)
    return inherent(ReportBabeEquivocation(proof))


def vote(target: int) -> Prevote:
    return Prevote(Hash(H256(bytes((target,)) * 32)), BlockNumber(U32(target)))


def signed_vote(
    message: GrandpaMessage, *, round_: int = 7, set_id: int = 0, by: str = OFFENDER
) -> GrandpaSignature:
    payload = grandpa_payload(encode(message, GrandpaMessage), round_, set_id)
    return ed25519.sign(grandpa_key(by), payload)  # type: ignore[return-value]


def two_votes(
    first: GrandpaMessage,
    second: GrandpaMessage,
    round_: int = 7,
    set_id: int = 0,
    by: str = OFFENDER,
) -> GrandpaEquivocationProof:
    return GrandpaEquivocationProof(
        U64(set_id),
        U64(round_),
        session_keys(by).grandpa,
        first,
        signed_vote(first, round_=round_, set_id=set_id, by=by),
        second,
        signed_vote(second, round_=round_, set_id=set_id, by=by),
    )


def votes_in(set_id: int, of: str = OFFENDER) -> Extrinsic:
    """A report of two votes in a round of a set of voters."""
    proof = two_votes(vote(1), vote(2), set_id=set_id, by=of)
    return inherent(ReportGrandpaEquivocation(proof))


@pytest.fixture
def chain() -> Chain:
    chain = Chain(replace(GENESIS, stakes=((account(OFFENDER), 100 * UNIT),)))
    chain.steps(3)
    return chain


def reports(chain: Chain) -> list[Report]:
    return list(chain.runtime.modules.offences.reports.values(chain.state))


def test_two_blocks_in_a_slot(chain: Chain) -> None:
    report = inherent(ReportBabeEquivocation(two_blocks()))
    valid = chain.runtime.validate_transaction(chain.state, chain.header, report)
    chain.step(report)
    [kept] = reports(chain)
    assert kept.offence.kind is OffenceKind.BABE_EQUIVOCATION
    assert kept.offence.offender == account(OFFENDER)
    assert valid.deed == kept.offence.id()
    time_slot = SLOT.to_bytes(8, "little")
    assert OffenceReported(b"babe:equivocatio", time_slot) in chain.events()


def test_the_blocks_of_who_is_disabled_are_refused(chain: Chain) -> None:
    """The others go on; the offender itself finds that it need not try."""
    chain.step(inherent(ReportBabeEquivocation(two_blocks())))
    assert api.disabled_authors(chain.state) == {session_keys(OFFENDER).babe}
    authorities = [public for public, _ in api.babe_authorities(chain.state)]
    for slot in range(chain.slot + 1, chain.slot + 1 + len(authorities)):
        if authorities[slot % len(authorities)] == session_keys(OFFENDER).babe:
            with pytest.raises(DisabledAuthor) as refused:
                chain.step(slot=slot)
            assert refused.value.author == account(OFFENDER)
        else:
            chain.step(slot=slot)


def test_two_votes_in_a_round(chain: Chain) -> None:
    chain.step(inherent(ReportGrandpaEquivocation(two_votes(vote(1), vote(2)))))
    [kept] = reports(chain)
    assert kept.offence.kind is OffenceKind.GRANDPA_EQUIVOCATION
    assert kept.offence.offender == account(OFFENDER)
    assert kept.reported_in == 4
    chain.step(slot=chain.next_slot(EPOCH_SLOTS))
    assert reports(chain) == [kept], "no session change writes anew all that is kept"


def test_a_deed_is_reported_once_whatever_the_proof(chain: Chain) -> None:
    chain.step(inherent(ReportBabeEquivocation(two_blocks())))
    other_proof = inherent(ReportBabeEquivocation(two_blocks(header(3), header(4))))
    with pytest.raises(UnprovenReport, match="known already"):
        chain.runtime.validate_transaction(chain.state, chain.header, other_proof)
    with pytest.raises(UnprovenReport, match="known already"):
        chain.builder().apply(other_proof)


def test_of_a_known_deed_no_signature_is_looked_at(chain: Chain) -> None:
    """Reports of what is known come again and again: they cost a look into the state."""
    other = signed_vote(vote(3))
    unsealed = header(2, sealed_by="Alice")
    chain.step(inherent(ReportBabeEquivocation(two_blocks())))
    chain.step(inherent(ReportGrandpaEquivocation(two_votes(vote(1), vote(2)))))
    for report in (
        ReportBabeEquivocation(two_blocks(header(1), unsealed)),
        ReportGrandpaEquivocation(replace(two_votes(vote(1), vote(2)), second_signature=other)),
    ):
        with pytest.raises(KnownDeed):
            chain.builder().apply(inherent(report))


@pytest.mark.parametrize(
    ("proof", "why"),
    [
        (two_blocks(header(1), header(1)), "same"),
        (two_blocks(header(1), header(2, slot=1002)), "slot 1002"),
        (two_blocks(header(1), header(2, sealed_by="Alice")), "not sealed by"),
        (two_blocks(header(1), header(2).without_seal()[0]), "no BABE seal"),
        (two_blocks(header(1), replace(header(2), digest=header(2).digest[1:])), "pre-digests"),
    ],
)
def test_headers_that_prove_nothing(chain: Chain, proof: BabeEquivocationProof, why: str) -> None:
    with pytest.raises(UnprovenReport, match=why):
        chain.builder().apply(inherent(ReportBabeEquivocation(proof)))


def test_a_stranger_is_no_offender(chain: Chain) -> None:
    stranger = BabeEquivocationProof(
        session_keys("Eve").babe, SLOT, header(1, sealed_by="Eve"), header(2, sealed_by="Eve")
    )
    with pytest.raises(UnprovenReport, match="no validator"):
        chain.builder().apply(inherent(ReportBabeEquivocation(stranger)))


@pytest.mark.parametrize(
    ("proof", "why"),
    [
        (two_votes(vote(1), vote(1)), "same"),
        (two_votes(vote(1), Precommit(*(vote(2).target_hash, vote(2).target_number))), "stages"),
        (replace(two_votes(vote(1), vote(2)), round=U64(8)), "not signed"),
        (
            replace(two_votes(vote(1), vote(2)), second_signature=signed_vote(vote(3))),
            "not signed",
        ),
    ],
)
def test_votes_that_prove_nothing(chain: Chain, proof: GrandpaEquivocationProof, why: str) -> None:
    with pytest.raises(UnprovenReport, match=why):
        chain.builder().apply(inherent(ReportGrandpaEquivocation(proof)))


def test_votes_of_a_set_to_come_prove_nothing_yet(chain: Chain) -> None:
    to_come = replace(two_votes(vote(1), vote(2)), set_id=U64(1))
    with pytest.raises(EarlyReport, match="not been a set"):
        chain.builder().apply(inherent(ReportGrandpaEquivocation(to_come)))


def test_who_has_nothing_left_to_lose_is_reported_once_a_session() -> None:
    """Signatures of one's own cost nothing: of any round there are double votes. Each session's
    first has the offender disabled for longer."""
    chain = Chain()
    first, second, third = (
        inherent(ReportGrandpaEquivocation(two_votes(vote(1), vote(2), round_)))
        for round_ in (7, 8, 9)
    )
    until = chain.runtime.modules.slashing.offenders
    chain.step(first)
    with pytest.raises(KnownDeed, match="nothing left to lose") as refusal:
        chain.builder().apply(second)
    assert refusal.value.retriable
    chain.step(slot=chain.next_slot(EPOCH_SLOTS))
    chain.step(second)
    assert until.get(chain.state, account(OFFENDER)).until == SESSIONS_KEPT + 1
    with pytest.raises(KnownDeed, match="nothing left to lose"):
        chain.builder().apply(third)


def test_who_has_anything_left_to_lose_pays_for_each_deed(chain: Chain) -> None:
    for round_ in (7, 8):
        chain.step(inherent(ReportGrandpaEquivocation(two_votes(vote(1), vote(2), round_))))
    staking = chain.runtime.modules.staking
    assert staking.stake(chain.state, account(OFFENDER)) == 81 * UNIT


def test_old_deeds_are_forgotten_and_cannot_be_reported_again(chain: Chain) -> None:
    report = inherent(ReportBabeEquivocation(two_blocks()))
    chain.step(report)
    for _ in range(SESSIONS_KEPT):
        chain.step(slot=chain.next_slot(EPOCH_SLOTS))
        assert len(reports(chain)) == 1
    chain.step(slot=chain.next_slot(EPOCH_SLOTS))
    assert reports(chain) == []
    with pytest.raises(LateReport, match="sessions ago"):
        chain.builder().apply(report)


def test_a_deed_is_judged_after_a_long_time_without_blocks(chain: Chain) -> None:
    """Sessions count, not the epochs in which nobody has made any."""
    chain.step(slot=chain.next_slot(3 * SESSIONS_KEPT * EPOCH_SLOTS))
    chain.step(inherent(ReportBabeEquivocation(two_blocks())))
    assert len(reports(chain)) == 1


def test_a_deed_of_voters_in_office_is_not_punished_again_however_long_they_are(
    chain: Chain,
) -> None:
    """Votes say no time but the set of voters, which may be in office for years."""
    report = inherent(ReportGrandpaEquivocation(two_votes(vote(1), vote(2))))
    chain.step(report)
    for _ in range(SESSIONS_KEPT + 2):
        chain.step(slot=chain.next_slot(EPOCH_SLOTS))
    with pytest.raises(KnownDeed):
        chain.builder().apply(report)
    others = tuple(account(name) for name in NAMES[1:4])
    chain.step(chain.sudo(SetValidators(others)))
    while api.grandpa_set_id(chain.state) == 0:
        chain.step(slot=chain.next_slot(EPOCH_SLOTS))
    for _ in range(SESSIONS_KEPT):
        assert len(reports(chain)) == 1
        chain.step(slot=chain.next_slot(EPOCH_SLOTS))
    assert reports(chain) == []
    with pytest.raises(LateReport, match="sessions ago"):
        chain.builder().apply(report)
    sessions_of_sets = chain.runtime.modules.grandpa.set_id_session
    assert list(sessions_of_sets.keys(chain.state)) == [1], "nothing of it is kept for ever"


def test_a_slot_of_a_session_to_come_is_no_deed_yet(chain: Chain) -> None:
    """It would never be long ago, and be punished again whenever it is forgotten."""
    slot = FIRST_SLOT + 3 * EPOCH_SLOTS
    report = blocks_in(slot)
    with pytest.raises(EarlyReport, match="to come"):
        chain.builder().apply(report)
    chain.step(slot=slot + 1)
    chain.step(report)
    assert len(reports(chain)) == 1


@pytest.fixture
def replaced() -> Chain:
    """In session 2, which is of voters 1, the newcomer has replaced the offender."""
    chain = Chain(replace(GENESIS, stakes=((account(OFFENDER), 100 * UNIT),)))
    chain.step()
    chain.step(chain.signed(NEWCOMER, SetKeys(session_keys(NEWCOMER))))
    staying = tuple(
        each.account for each in GENESIS.validators if each.account != account(OFFENDER)
    )
    chain.step(chain.sudo(SetValidators((*staying, account(NEWCOMER)))))
    for _ in range(2):
        chain.step(slot=chain.next_slot(EPOCH_SLOTS))
    assert api.grandpa_set_id(chain.state) == 1
    return chain


NEWCOMER = "Eve"
SECOND_SESSION = FIRST_SLOT + 2 * EPOCH_SLOTS


@pytest.mark.parametrize(
    "report",
    [
        blocks_in(SECOND_SESSION),
        blocks_in(SECOND_SESSION - 1, of=NEWCOMER),
        votes_in(1),
        votes_in(0, of=NEWCOMER),
    ],
)
def test_who_is_not_in_office_does_nothing_wrong(replaced: Chain, report: Extrinsic) -> None:
    """Neither before nor after: nobody takes its blocks and votes for anything."""
    with pytest.raises(UnprovenReport, match="no v"):
        replaced.builder().apply(report)


def test_what_was_done_in_office_is_punished_once_in_or_out_of_it(replaced: Chain) -> None:
    """It is known until it can be reported no more, wherever the offender has been since."""
    deeds = [blocks_in(SECOND_SESSION - 1), votes_in(0)]
    replaced.step(*deeds)
    assert {kept.offence.session_index for kept in reports(replaced)} == {1}
    for _ in range(SESSIONS_KEPT - 1):
        replaced.step(slot=replaced.next_slot(EPOCH_SLOTS))
        for report in deeds:
            with pytest.raises(KnownDeed):
                replaced.builder().apply(report)
    replaced.step(slot=replaced.next_slot(EPOCH_SLOTS))
    assert reports(replaced) == []
    for report in deeds:
        with pytest.raises(LateReport):
            replaced.builder().apply(report)
    assert replaced.runtime.modules.staking.stake(replaced.state, account(OFFENDER)) == 81 * UNIT


def test_the_slots_of_epochs_without_blocks_are_of_those_who_come_next(replaced: Chain) -> None:
    """They serve in whichever epoch follows, so that a fork may have blocks of theirs there."""
    slot = replaced.next_slot(3 * EPOCH_SLOTS)
    replaced.step(slot=slot)
    replaced.step(blocks_in(slot - EPOCH_SLOTS, of=NEWCOMER))
    [kept] = reports(replaced)
    assert kept.offence.session_index == 3
