"""PoV Distribution: pulled from those who vouched, and nothing else is taken."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from parahost.node.backing import pov_distribution
from parahost.node.backing.pov_distribution import (
    BENEFIT_POV,
    COST_WRONG_POV,
    MAX_SOURCES,
    RETRY_S,
    PoVDistribution,
    PoVRequest,
    accept,
)
from parahost.node.gossip import COST_MALFORMED
from parahost.node.messages.backing import (
    DistributePoV,
    FetchPoV,
    NoteStatement,
    PoVPeerGone,
    PoVRequested,
)
from parahost.node.messages.base import Reply, Unanswered
from parahost.node.messages.network import (
    RegisterRequestProducer,
    ReportPeer,
    ResolveValidators,
    SendRequest,
)
from parahost.node.protocols import POV_REQUEST
from parahost.ports import RequestFailed
from parahost.primitives.basic import U32, CandidateHash, PeerId, ValidatorIndex
from parahost.primitives.candidates import PoV
from parahost.primitives.hashing import blake2_256
from parahost.primitives.scale import encode
from tests.node.backing.world import (
    OTHER_RELAY_PARENT,
    PARA,
    RELAY_PARENT,
    Silent,
    Stage,
    candidate,
    on_stage,
    pov,
    validator,
)

A = candidate(1)
POV = encode(pov(1))
HOLD = object()


class Peers:
    """The network: what each peer answers, and which validators are known by their peer."""

    def __init__(self, answers: dict[str, Any], resolved: dict[int, str] | None = None) -> None:
        self.answers = answers
        self.resolved = {validator(i).public: PeerId(p) for i, p in (resolved or {}).items()}
        self.asked: list[str] = []
        self.held: list[SendRequest] = []

    def resolve(self, request: ResolveValidators) -> dict[bytes, PeerId]:
        return {key: self.resolved[key] for key in request.validators if key in self.resolved}

    def request(self, request: SendRequest) -> Any:
        assert request.protocol is POV_REQUEST
        assert request.payload == encode(PoVRequest(A.hash()))
        self.asked.append(request.peer)
        answer = self.answers.get(request.peer, "refused")
        if answer is HOLD:
            self.held.append(request)
            raise Silent
        if isinstance(answer, str):
            return RequestFailed(request.peer, request.protocol.name, answer)
        return answer

    def scripted(self) -> dict[type, Any]:
        return {ResolveValidators: self.resolve, SendRequest: self.request}


def fetch(max_pov_size: int = 4096) -> FetchPoV:
    return FetchPoV(RELAY_PARENT, A.hash(), A.descriptor, max_pov_size)


def note(author: int, peer: str, *, is_seconded: bool = False) -> NoteStatement:
    return NoteStatement(
        RELAY_PARENT, A.hash(), ValidatorIndex(U32(author)), PeerId(peer), is_seconded
    )


def requested(candidate_hash: CandidateHash, peer: str = "asker") -> PoVRequested:
    return PoVRequested(PeerId(peer), encode(PoVRequest(candidate_hash)), Reply())


def reports(stage: Stage) -> list[tuple[str, Any]]:
    return [(message.peer, message.change) for message in stage.heard(ReportPeer)]


# Fetching


@pytest.mark.guide("A88")
async def test_who_seconded_is_asked_before_who_said_valid() -> None:
    network = Peers({"v0": "refused", "v1": "timeout", "v2": POV})
    network.resolved = {validator(i).public: PeerId(f"v{i}") for i in range(3)}
    async with on_stage(PoVDistribution(), answers=network.scripted()) as stage:
        await stage.say(note(2, "p"), note(1, "p", is_seconded=True), note(0, "p"))
        request = fetch()
        await stage.say(request)
        assert network.asked == ["v1", "v2"]
        assert await request.reply.wait() == pov(1)
        assert reports(stage) == [("v2", BENEFIT_POV)]


@pytest.mark.guide("A88")
async def test_nothing_is_asked_for_before_a_seconded(autojump_clock: MockClock) -> None:
    network = Peers({"p": POV, "q": POV})
    async with on_stage(PoVDistribution(), answers=network.scripted()) as stage:
        request = fetch()
        await stage.say(request, note(1, "q"))
        await trio.sleep(3 * RETRY_S)
        assert network.asked == []
        await stage.say(note(0, "p", is_seconded=True))
        assert network.asked == ["p"]
        assert request.reply.settled


@pytest.mark.guide("A88")
async def test_a_validator_of_unknown_address_is_sought_at_who_brought_its_statement() -> None:
    network = Peers({"v0": "disconnected", "q": POV}, resolved={0: "v0"})
    async with on_stage(PoVDistribution(), answers=network.scripted()) as stage:
        await stage.say(note(0, "p", is_seconded=True), note(1, "q"))
        await stage.say(fetch())
        assert network.asked == ["v0", "q"]


async def test_who_brought_a_statement_is_asked_last() -> None:
    network = Peers({"v0": "timeout", "v1": "timeout", "p": POV}, resolved={0: "v0", 1: "v1"})
    async with on_stage(PoVDistribution(), answers=network.scripted()) as stage:
        await stage.say(note(0, "p", is_seconded=True), note(1, "q"), fetch())
        assert network.asked == ["v0", "v1", "p"]


@pytest.mark.guide("A88")
@pytest.mark.parametrize(
    "wrong", [encode(pov(2)), b"", POV + b"\x00", POV[:-1]], ids=["other", "none", "more", "less"]
)
async def test_bytes_of_another_hash_are_not_taken(wrong: bytes) -> None:
    network = Peers({"p": wrong, "q": POV})
    async with on_stage(PoVDistribution(), answers=network.scripted()) as stage:
        request = fetch()
        await stage.say(note(0, "p", is_seconded=True), note(1, "q"), request)
        assert await request.reply.wait() == pov(1)
        assert network.asked == ["p", "q"]
        assert reports(stage) == [("p", COST_WRONG_POV), ("q", BENEFIT_POV)]


@pytest.mark.guide("A88")
def test_a_pov_over_the_limit_is_not_taken() -> None:
    assert accept(POV, fetch(len(POV))) == pov(1)
    assert accept(POV, fetch(len(POV) - 1)) is None


def test_what_has_the_hash_but_is_no_pov_is_not_taken() -> None:
    garbage = b"\xff\xff"
    receipt = candidate(1, pov_hash=blake2_256(garbage))
    request = FetchPoV(RELAY_PARENT, receipt.hash(), receipt.descriptor, 4096)
    assert accept(garbage, request) is None


@pytest.mark.guide("A88")
async def test_one_request_is_in_flight_per_candidate() -> None:
    network = Peers({"p": HOLD, "q": POV})
    async with on_stage(PoVDistribution(), answers=network.scripted()) as stage:
        first, second = fetch(), fetch()
        await stage.say(note(0, "p", is_seconded=True), first, second, note(1, "q"))
        assert network.asked == ["p"]
        network.held[0].reply.answer(POV)
        await stage.rest()
        assert network.asked == ["p"]
        assert await first.reply.wait() == await second.reply.wait() == pov(1)


async def test_new_sources_are_tried_as_they_come(autojump_clock: MockClock) -> None:
    network = Peers({"p": "refused", "q": POV})
    async with on_stage(PoVDistribution(), answers=network.scripted()) as stage:
        request = fetch()
        await stage.say(note(0, "p", is_seconded=True), request)
        assert network.asked == ["p"]
        before = trio.current_time()
        await stage.say(note(1, "q"))
        assert request.reply.settled and trio.current_time() == before


async def test_when_all_have_failed_they_are_asked_again_but_for_liars(
    autojump_clock: MockClock,
) -> None:
    network = Peers({"p": "refused", "q": encode(pov(2))})
    async with on_stage(PoVDistribution(), answers=network.scripted()) as stage:
        request = fetch()
        await stage.say(note(0, "p", is_seconded=True), note(1, "q"), request)
        await trio.sleep(2.5 * RETRY_S)
        assert network.asked == ["p", "q", "p", "p"]
        network.answers["p"] = POV
        assert await request.reply.wait() == pov(1)
        assert network.asked.count("q") == 1


async def test_a_peer_that_left_is_not_asked(autojump_clock: MockClock) -> None:
    network = Peers({"p": POV, "v0": POV})
    async with on_stage(PoVDistribution(), answers=network.scripted()) as stage:
        await stage.say(note(0, "p", is_seconded=True), PoVPeerGone(PeerId("p")), fetch())
        assert network.asked == []
        network.resolved[validator(0).public] = PeerId("v0")
        await trio.sleep(2 * RETRY_S)
        assert network.asked == ["v0"]


async def test_a_pov_that_comes_another_way_ends_the_search() -> None:
    network = Peers({"p": HOLD})
    async with on_stage(PoVDistribution(), answers=network.scripted()) as stage:
        request = fetch()
        await stage.say(note(0, "p", is_seconded=True), request)
        await stage.say(DistributePoV(RELAY_PARENT, A.hash(), PARA, pov(1)))
        assert request.reply.value == pov(1)
        network.held[0].reply.answer(POV)
        await stage.rest()
        assert network.asked == ["p"]

        again = fetch()
        await stage.say(again)
        assert again.reply.value == pov(1) and network.asked == ["p"]


@pytest.mark.guide("A88")
async def test_requests_end_with_their_relay_parent() -> None:
    network = Peers({"p": HOLD})
    async with on_stage(PoVDistribution(), answers=network.scripted()) as stage:
        request = fetch()
        await stage.say(note(0, "p", is_seconded=True), request)
        stage.neighbours.at_stop = lambda: network.held[0].reply.answer(POV)
        await stage.move_on()
        with pytest.raises(Unanswered):
            await request.reply.wait()
        late = fetch()
        await stage.say(late)
        with pytest.raises(Unanswered):
            await late.reply.wait()


async def test_only_so_many_sources_are_noted() -> None:
    subsystem = PoVDistribution()
    async with on_stage(subsystem) as stage:
        await stage.say(*[note(0, f"p{number}") for number in range(MAX_SOURCES + 9)])
        assert len(subsystem._leaves[RELAY_PARENT].sources[A.hash()]) == MAX_SOURCES
        await stage.say(
            NoteStatement(OTHER_RELAY_PARENT, A.hash(), ValidatorIndex(U32(0)), PeerId("p"), True)
        )
        assert list(subsystem._leaves) == [RELAY_PARENT]


# Serving


@pytest.mark.guide("A88")
async def test_what_is_held_is_served_while_its_relay_parent_is_worked_on() -> None:
    async with on_stage(PoVDistribution(), answers=Peers({}).scripted()) as stage:
        (registration,) = stage.heard(RegisterRequestProducer)
        assert (registration.protocol, registration.producer) == (POV_REQUEST, PoVRequested)

        before, during, after = (requested(A.hash()) for _ in range(3))
        await stage.say(before)
        await stage.say(DistributePoV(RELAY_PARENT, A.hash(), PARA, pov(1)))
        await stage.say(during)
        await stage.move_on()
        await stage.say(after, DistributePoV(RELAY_PARENT, A.hash(), PARA, pov(1)))
        assert [each.reply.value for each in (before, during, after)] == [None, POV, None]


@pytest.mark.guide("A88")
async def test_the_group_is_served_and_others_within_an_allowance(
    autojump_clock: MockClock,
) -> None:
    """A PoV of 1 MiB. Validator 1 is of the group, 3 is not; of the other two nobody knows
    anything. They share 20 MiB at once, and a MiB a second."""
    network = Peers({}, resolved={1: "v1", 3: "v3"})
    large = PoV(bytes(1024 * 1024 - 4))

    async def ask(peer: str) -> bool:
        request = requested(A.hash(), peer)
        await stage.say(request)
        return request.reply.value == encode(large)

    async with on_stage(PoVDistribution(), answers=network.scripted()) as stage:
        await stage.say(DistributePoV(RELAY_PARENT, A.hash(), PARA, large))
        got = [await ask(peer) for peer in ("v3", "stranger", "another") * 10]
        assert got == [True] * 20 + [False] * 10
        assert [await ask("v1") for _ in range(4)] == [True] * 3 + [False], "what it needs"
        assert not await ask("stranger")
        await trio.sleep(2)
        assert [await ask(peer) for peer in ("stranger", "v1", "v3")] == [True, True, False]
        await trio.sleep(1000)
        assert [await ask("another") for _ in range(21)] == [True] * 20 + [False]
        assert reports(stage) == [], "who may ask may be refused"


async def test_whoever_asks_when_work_stops_is_refused() -> None:
    network = Peers({})
    held: list[ResolveValidators] = []

    def hold(request: ResolveValidators) -> Any:
        held.append(request)
        raise Silent

    scripted = network.scripted() | {ResolveValidators: hold}
    async with on_stage(PoVDistribution(), answers=scripted) as stage:
        request = requested(A.hash())
        await stage.say(DistributePoV(RELAY_PARENT, A.hash(), PARA, pov(1)), request)
        assert len(held) == 1 and not request.reply.settled
        await stage.move_on()
        assert request.reply.settled


async def test_whoever_asks_in_the_turn_in_which_work_stops_is_refused() -> None:
    """The next block comes between the request and the first step of the job that answers it."""

    def next_block(_: ReportPeer) -> Any:
        stage.import_child()
        raise Silent

    async with on_stage(PoVDistribution(), answers={ReportPeer: next_block}) as stage:
        await stage.say(DistributePoV(RELAY_PARENT, A.hash(), PARA, pov(1)))
        request = requested(A.hash())
        report = PoVRequested(PeerId("p"), b"short", Reply())
        await stage.say(request, report)
        with pytest.raises(Unanswered):
            await request.reply.wait()


async def test_a_request_that_does_not_decode_costs() -> None:
    async with on_stage(PoVDistribution()) as stage:
        bad = PoVRequested(PeerId("p"), b"short", Reply())
        await stage.say(bad)
        assert bad.reply.value is None
        assert reports(stage) == [("p", COST_MALFORMED)]


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pov_distribution, "MAX_HELD_BYTES", 2500)
    subsystem = PoVDistribution()
    receipts = [candidate(number) for number in range(3)]
    async with on_stage(subsystem, answers=Peers({}).scripted()) as stage:
        for receipt in receipts:
            await stage.say(DistributePoV(RELAY_PARENT, receipt.hash(), PARA, PoV(bytes(1000))))
        asked = [requested(receipt.hash()) for receipt in receipts]
        await stage.say(*asked)
        assert [each.reply.value is None for each in asked] == [True, False, False]
        await stage.move_on()
        assert subsystem._held_bytes == 0
