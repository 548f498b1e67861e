"""Candidate Selection: none or one per relay parent, and bad collators are shut out."""

from __future__ import annotations

from typing import Any

import pytest

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
from parahost.node.messages.collation import BanCollator, FetchCollation, NoteGoodCollation
from parahost.node.messages.network import ReportPeer
from parahost.node.messages.utility import RuntimeCall
from parahost.primitives.basic import CollatorId, Hash, PeerId
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
    runtime_answers,
)

HEADS = (RELAY_PARENT, OTHER_RELAY_PARENT)


def key(number: int) -> CollatorId:
    return CollatorId(collator(number).public)


def peer(number: int) -> PeerId:
    return PeerId(f"collator {number}")


def receipt_of(
    number: int, para: int = PARA, head: Hash = RELAY_PARENT
) -> CommittedCandidateReceipt:
    return candidate(number, by=number, para=para, relay_parent=head)


def advertised(number: int, para: int = PARA, head: Hash = RELAY_PARENT) -> CollationAdvertised:
    return CollationAdvertised(head, para, key(number), peer(number))


class Collators:
    """Deliver what is asked for, but for those who are silent or fail."""

    def __init__(self) -> None:
        self.fail: set[int] = set()
        self.silent: set[int] = set()
        self.held: list[FetchCollation] = []

    def deliver(self, request: FetchCollation) -> Collation | None:
        number = next(n for n in range(10) if key(n) == request.collator)
        if number in self.silent:
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
        await stage.say(CollationUndecided(RELAY_PARENT, receipt_of(1).to_plain()))
        assert recommended(stage) == [receipt_of(1), receipt_of(2)]
        assert stage.heard(BanCollator) == [] and stage.heard(ReportPeer) == []


@pytest.mark.guide("A81")
async def test_a_collator_has_one_turn_per_relay_parent() -> None:
    async with on_stage(CandidateSelection(keystore(0)), answers=Collators().scripted()) as stage:
        await stage.say(advertised(1))
        await stage.say(CollationUndecided(RELAY_PARENT, receipt_of(1).to_plain()))
        await stage.say(advertised(1))
        assert fetched(stage) == [key(1)]


@pytest.mark.guide("A79", "A82")
async def test_an_invalid_collation_bans_its_collator_and_reports_its_peer() -> None:
    async with on_stage(CandidateSelection(keystore(0)), answers=Collators().scripted()) as stage:
        await stage.say(advertised(1), advertised(2))
        await stage.say(CollationInvalid(RELAY_PARENT, receipt_of(1).to_plain()))
        assert stage.heard(BanCollator) == [BanCollator(key(1))]
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
        await stage.say(CollationInvalid(RELAY_PARENT, receipt_of(1).to_plain()))
        await stage.say(
            CollationUndecided(
                OTHER_RELAY_PARENT, receipt_of(2, head=OTHER_RELAY_PARENT).to_plain()
            )
        )
        assert fetched(stage) == [key(2), key(1)]


@pytest.mark.guide("A81")
async def test_verdicts_on_other_candidates_change_nothing() -> None:
    async with on_stage(CandidateSelection(keystore(0)), answers=Collators().scripted()) as stage:
        await stage.say(CollationInvalid(RELAY_PARENT, receipt_of(1).to_plain()))
        await stage.say(advertised(1), advertised(2))
        await stage.say(CollationInvalid(RELAY_PARENT, receipt_of(2).to_plain()))
        assert stage.heard(BanCollator) == [] and fetched(stage) == [key(1)]


@pytest.mark.guide("A81")
async def test_who_was_served_least_lately_goes_first() -> None:
    collators = Collators()
    collators.silent = {9}
    async with on_stage(
        CandidateSelection(keystore(0)), answers=collators.scripted(), heads=HEADS
    ) as stage:
        for number in (1, 2):
            await stage.say(advertised(number))
            await stage.say(CollationUndecided(RELAY_PARENT, receipt_of(number).to_plain()))

        there = OTHER_RELAY_PARENT
        await stage.say(advertised(9, head=there))
        await stage.say(*(advertised(number, head=there) for number in (2, 1, 3, 4)))
        collators.held[0].reply.answer(None)
        for number in (3, 4, 1, 2):
            await stage.rest()
            verdict = receipt_of(number, head=there).to_plain()
            await stage.say(CollationUndecided(there, verdict))
        assert fetched(stage) == [key(n) for n in (1, 2, 9, 3, 4, 1, 2)]


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


async def test_advertisements_wait_for_the_assignment_and_are_bounded() -> None:
    held: list[RuntimeCall[Any]] = []
    known = runtime_answers()

    def hold(call: RuntimeCall[Any]) -> Any:
        held.append(call)
        raise Silent

    subsystem = CandidateSelection(keystore(0))
    answers = {**Collators().scripted(), RuntimeCall: hold}
    async with on_stage(subsystem, answers=answers) as stage:
        await stage.say(advertised(8, para=OCCUPIED_PARA), advertised(1), advertised(1))
        others = [
            CollationAdvertised(RELAY_PARENT, PARA, CollatorId(bytes([n]) * 32), peer(n))
            for n in range(MAX_ADVERTISED + 5)
        ]
        await stage.say(*others)
        assert len(subsystem._jobs[RELAY_PARENT].advertised) == MAX_ADVERTISED
        assert fetched(stage) == []
        while held:
            call = held.pop()
            call.reply.answer(known[call.function](*call.args))
            await stage.rest()
        assert fetched(stage) == [key(1)]


@pytest.mark.guide("A81")
async def test_selection_ends_with_its_relay_parent() -> None:
    collators = Collators()
    collators.silent = {1}
    async with on_stage(CandidateSelection(keystore(0)), answers=collators.scripted()) as stage:
        await stage.say(advertised(1))
        await stage.move_on()
        (request,) = collators.held
        request.reply.answer(collators.collation(1, request))
        await stage.say(advertised(2), CollationInvalid(RELAY_PARENT, receipt_of(1).to_plain()))
        assert recommended(stage) == [] and fetched(stage) == [key(1)]
        assert stage.heard(BanCollator) == []
