"""Candidate Selection: none or one per relay parent, and bad collators are shut out."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from parahost.node.backing.candidate_selection import (
    BENEFIT_COLLATION,
    COST_INVALID_COLLATION,
    MAX_ADVERTISED,
    CandidateSelection,
)
from parahost.node.messages.backing import (
    CollationAdvertised,
    CollationInvalid,
    CollationSeconded,
    CollationUndecided,
    Second,
)
from parahost.node.messages.collation import (
    BanCollator,
    ExplainToCollator,
    FetchCollation,
    NoteGoodCollation,
)
from parahost.node.messages.network import ReportPeer
from parahost.primitives.basic import H256, U32, CollatorId, Hash, ParaId, PeerId
from parahost.primitives.candidates import Collation, CommittedCandidateReceipt
from tests.node.backing.world import (
    OCCUPIED_PARA,
    OTHER_RELAY_PARENT,
    PARA,
    RELAY_PARENT,
    THREAD,
    Silent,
    Stage,
    candidate,
    collator,
    keystore,
    on_stage,
    pov,
)

HEADS = (RELAY_PARENT, OTHER_RELAY_PARENT)


def key(number: int) -> CollatorId:
    return CollatorId(H256(collator(number).public))


def peer(number: int) -> PeerId:
    return PeerId(f"collator {number}")


def receipt_of(
    number: int, para: ParaId = PARA, head: Hash = RELAY_PARENT
) -> CommittedCandidateReceipt:
    return candidate(number, by=number, para=para, relay_parent=head)


def advertised(number: int, para: ParaId = PARA, head: Hash = RELAY_PARENT) -> CollationAdvertised:
    return CollationAdvertised(head, ParaId(U32(para)), key(number), peer(number))


def undecided(number: int, head: Hash = RELAY_PARENT) -> CollationUndecided:
    receipt = receipt_of(number, head=head).to_plain()
    return CollationUndecided(head, receipt, "the worker was killed")


def invalid(number: int) -> CollationInvalid:
    return CollationInvalid(RELAY_PARENT, receipt_of(number).to_plain(), "it trapped")


class Collators:
    """Deliver what is asked for, but for those who are silent or fail."""

    def __init__(self) -> None:
        self.fail: set[int] = set()
        self.silent: set[int] = set()
        self.held: list[FetchCollation] = []

    def deliver(self, request: FetchCollation) -> Collation | None:
        number = next((n for n in range(10) if key(n) == request.collator), None)
        if number is None or number in self.silent:
            self.held.append(request)
            raise Silent
        if number in self.fail:
            return None
        return self.collation(number, request)

    def collation(self, number: int, request: FetchCollation) -> Collation:
        return Collation(receipt_of(number, request.para_id, request.relay_parent), pov(number))

    def scripted(self) -> dict[type, Any]:
        return {FetchCollation: self.deliver}


def fetched(stage: Stage) -> list[CollatorId]:
    return [request.collator for request in stage.heard(FetchCollation)]


def recommended(stage: Stage) -> list[CommittedCandidateReceipt]:
    return [message.candidate for message in stage.heard(Second)]


@pytest.mark.guide("A81")
async def test_the_first_that_is_found_valid_is_the_only_one() -> None:
    async with on_stage(CandidateSelection(keystore(0)), answers=Collators().scripted()) as stage:
        await stage.say(advertised(1), advertised(2))
        assert fetched(stage) == [key(1)], "one at a time"
        assert stage.heard(Second) == [Second(RELAY_PARENT, receipt_of(1), pov(1))]

        await stage.say(CollationSeconded(RELAY_PARENT, receipt_of(1).to_plain()))
        assert stage.heard(NoteGoodCollation) == [NoteGoodCollation(RELAY_PARENT, key(1))]
        assert stage.heard(ReportPeer) == [ReportPeer(peer(1), BENEFIT_COLLATION)]

        await stage.say(advertised(3))
        assert fetched(stage) == [key(1)], "nothing after that"


@pytest.mark.guide("A81")
async def test_nothing_advertised_nothing_recommended() -> None:
    async with on_stage(CandidateSelection(keystore(0))) as stage:
        assert stage.heard(FetchCollation) == [] and stage.heard(Second) == []


@pytest.mark.guide("A81")
async def test_what_is_not_delivered_makes_room_for_the_next() -> None:
    collators = Collators()
    collators.fail = {1}
    async with on_stage(CandidateSelection(keystore(0)), answers=collators.scripted()) as stage:
        await stage.say(advertised(1), advertised(2))
        assert fetched(stage) == [key(1), key(2)]
        assert recommended(stage) == [receipt_of(2)]
        assert stage.heard(BanCollator) == []


@pytest.mark.guide("A81")
async def test_what_cannot_be_judged_is_nobodys_fault() -> None:
    async with on_stage(CandidateSelection(keystore(0)), answers=Collators().scripted()) as stage:
        await stage.say(advertised(1), advertised(2))
        await stage.say(undecided(1))
        assert recommended(stage) == [receipt_of(1), receipt_of(2)]
        assert stage.heard(BanCollator) == [] and stage.heard(ReportPeer) == []


@pytest.mark.guide("A81")
async def test_a_collator_has_one_turn_per_relay_parent() -> None:
    async with on_stage(CandidateSelection(keystore(0)), answers=Collators().scripted()) as stage:
        await stage.say(advertised(1))
        await stage.say(undecided(1))
        await stage.say(advertised(1))
        assert fetched(stage) == [key(1)]


@pytest.mark.guide("A79", "A82")
async def test_an_invalid_collation_bans_its_collator_and_reports_its_peer() -> None:
    async with on_stage(CandidateSelection(keystore(0)), answers=Collators().scripted()) as stage:
        await stage.say(advertised(1), advertised(2))
        await stage.say(invalid(1))
        assert stage.heard(BanCollator) == [BanCollator(RELAY_PARENT, key(1), "it trapped")]
        assert stage.heard(ReportPeer) == [ReportPeer(peer(1), COST_INVALID_COLLATION)]
        assert recommended(stage) == [receipt_of(1), receipt_of(2)], "the next has its turn"


@pytest.mark.guide("A82")
async def test_what_a_banned_collator_advertised_before_is_forgotten() -> None:
    collators = Collators()
    async with on_stage(
        CandidateSelection(keystore(0)), answers=collators.scripted(), heads=HEADS
    ) as stage:
        await stage.say(advertised(2, head=OTHER_RELAY_PARENT))
        await stage.say(advertised(1, head=OTHER_RELAY_PARENT), advertised(1))
        await stage.say(invalid(1))
        await stage.say(undecided(2, OTHER_RELAY_PARENT))
        assert fetched(stage) == [key(2), key(1)]


@pytest.mark.guide("A81")
async def test_verdicts_on_other_candidates_change_nothing() -> None:
    async with on_stage(CandidateSelection(keystore(0)), answers=Collators().scripted()) as stage:
        await stage.say(invalid(1))
        await stage.say(advertised(1), advertised(2))
        await stage.say(invalid(2))
        assert stage.heard(BanCollator) == [] and fetched(stage) == [key(1)]


@pytest.mark.guide("A81")
async def test_of_those_who_deliver_the_one_that_did_least_lately_goes_first() -> None:
    collators = Collators()
    there = OTHER_RELAY_PARENT
    async with on_stage(
        CandidateSelection(keystore(0)), answers=collators.scripted(), heads=HEADS
    ) as stage:
        for number in (1, 2, 3):
            await stage.say(advertised(number))
            await stage.say(undecided(number))
        await stage.say(*(advertised(number, head=there) for number in (2, 3, 1)))
        for number in (2, 1, 3):
            await stage.say(undecided(number, there))
        assert fetched(stage) == [key(n) for n in (1, 2, 3, 2, 1, 3)]


async def test_the_silent_do_not_hold_up_one_that_is_known_to_deliver(
    autojump_clock: MockClock,
) -> None:
    """However many they are and however new their keys are: not for a moment."""
    collators = Collators()
    collators.silent = {5, 6, 7, 8}
    there = OTHER_RELAY_PARENT
    async with on_stage(
        CandidateSelection(keystore(0)), answers=collators.scripted(), heads=HEADS
    ) as stage:
        await stage.say(advertised(1))
        await stage.say(undecided(1))
        await stage.say(*(advertised(number, head=there) for number in (5, 6, 7, 8)))
        begun = trio.current_time()
        await stage.say(advertised(1, head=there))
        assert fetched(stage) == [key(1), key(5), key(1)]
        assert trio.current_time() == begun


async def test_one_that_is_not_known_waits_a_second_for_each_of_the_silent_and_once_for_each(
    autojump_clock: MockClock,
) -> None:
    collators = Collators()
    collators.silent = {1, 2, 3, 5, 6}
    there = OTHER_RELAY_PARENT
    async with on_stage(
        CandidateSelection(keystore(0)), answers=collators.scripted(), heads=HEADS
    ) as stage:
        await stage.say(advertised(5))
        await trio.sleep(0.99)
        await stage.say(advertised(6))
        assert fetched(stage) == [key(5)], "its second is not over"
        await trio.sleep(0.02)
        assert fetched(stage) == [key(5), key(6)], "though the first may still deliver"
        await trio.sleep(1.01)
        # Both had their turns. Whoever has not goes before them, in whatever order they come.
        await stage.say(advertised(5, head=there))
        await stage.say(*(advertised(number, head=there) for number in (6, 1, 2, 3)))
        await trio.sleep(4.01)
        assert fetched(stage)[:3] == [key(5), key(6), key(5)]
        assert {*fetched(stage)[3:6]} == {key(1), key(2), key(3)}
        assert fetched(stage)[6:] == [key(6)]


async def test_who_delivers_late_is_judged_all_the_same_and_known_to_deliver(
    autojump_clock: MockClock,
) -> None:
    collators = Collators()
    collators.silent = {5}
    async with on_stage(CandidateSelection(keystore(0)), answers=collators.scripted()) as stage:
        await stage.say(advertised(5), advertised(1))
        await trio.sleep(1.5)
        (late,) = collators.held
        late.reply.answer(collators.collation(5, late))
        await stage.rest()
        assert recommended(stage) == [receipt_of(1)], "one at a time"
        await stage.say(undecided(1))
        assert recommended(stage) == [receipt_of(1), receipt_of(5)]


async def test_nothing_is_fetched_or_judged_after_the_one_that_was_seconded(
    autojump_clock: MockClock,
) -> None:
    collators = Collators()
    collators.silent = {5}
    async with on_stage(CandidateSelection(keystore(0)), answers=collators.scripted()) as stage:
        await stage.say(advertised(5), advertised(1), advertised(2))
        await trio.sleep(1.5)
        await stage.say(CollationSeconded(RELAY_PARENT, recommended(stage)[0].to_plain()))
        (late,) = collators.held
        late.reply.answer(collators.collation(5, late))
        await stage.rest()
        assert len(recommended(stage)) == 1 and len(fetched(stage)) == 2


async def test_the_collator_hears_why_its_collation_was_not_put_forward() -> None:
    async with on_stage(CandidateSelection(keystore(0)), answers=Collators().scripted()) as stage:
        await stage.say(advertised(1), advertised(2))
        await stage.say(undecided(1))
        await stage.move_on()
        heard = [(each.peer, each.reason) for each in stage.heard(ExplainToCollator)]
        assert heard == [
            (peer(1), "the worker was killed"),
            (peer(2), "the next relay block came before it was judged"),
        ]


@pytest.mark.guide("A81")
async def test_only_our_para_is_of_interest() -> None:
    async with on_stage(CandidateSelection(keystore(3)), answers=Collators().scripted()) as stage:
        await stage.say(advertised(1, para=PARA))
        assert fetched(stage) == []
        await stage.say(advertised(2, para=OCCUPIED_PARA))
        assert fetched(stage) == [key(2)], "its core may become free in the next block"


@pytest.mark.guide("A81")
async def test_a_thread_takes_its_claims_collator_only() -> None:
    async with on_stage(CandidateSelection(keystore(5)), answers=Collators().scripted()) as stage:
        await stage.say(advertised(8, para=THREAD), advertised(9, para=THREAD))
        assert fetched(stage) == [key(9)]


@pytest.mark.parametrize("own", [(), (11,)], ids=["no key", "no validator"])
async def test_who_is_no_validator_selects_nothing(own: tuple[int, ...]) -> None:
    async with on_stage(
        CandidateSelection(keystore(*own)), answers=Collators().scripted()
    ) as stage:
        await stage.say(advertised(1))
        assert fetched(stage) == []


async def test_advertisements_of_our_para_wait_for_their_turns_and_are_bounded() -> None:
    collators = Collators()
    collators.silent = {1}
    subsystem = CandidateSelection(keystore(0))
    async with on_stage(subsystem, answers=collators.scripted()) as stage:
        await stage.say(advertised(1), advertised(1), advertised(8, para=OCCUPIED_PARA))
        others = [
            CollationAdvertised(RELAY_PARENT, PARA, CollatorId(H256(bytes([n]) * 32)), peer(n))
            for n in range(MAX_ADVERTISED + 5)
        ]
        await stage.say(*others)
        waiting = subsystem._jobs[RELAY_PARENT].advertised
        assert len(waiting) == MAX_ADVERTISED
        assert key(1) not in waiting, "it has its turn"
        assert key(8) not in waiting, "it is of another para"
        assert fetched(stage) == [key(1)]


async def test_strangers_fill_no_room_of_one_that_is_known_to_deliver() -> None:
    collators = Collators()
    there = OTHER_RELAY_PARENT
    strangers = [
        CollationAdvertised(there, PARA, CollatorId(H256(bytes([100 + n]) * 32)), peer(n))
        for n in range(MAX_ADVERTISED + 1)
    ]
    async with on_stage(
        CandidateSelection(keystore(0)), answers=collators.scripted(), heads=HEADS
    ) as stage:
        await stage.say(advertised(1))
        await stage.say(undecided(1))
        await stage.say(*strangers, advertised(1, head=there))
        assert fetched(stage)[-1] == key(1)


@pytest.mark.guide("A81")
async def test_selection_ends_with_its_relay_parent() -> None:
    collators = Collators()
    collators.silent = {1}
    async with on_stage(CandidateSelection(keystore(0)), answers=collators.scripted()) as stage:
        await stage.say(advertised(1))
        await stage.move_on()
        (request,) = collators.held
        request.reply.answer(collators.collation(1, request))
        await stage.say(advertised(2), invalid(1))
        assert recommended(stage) == [] and fetched(stage) == [key(1)]
        assert stage.heard(BanCollator) == []
