"""Dispute Distribution: votes get to all validators, and what peers bring costs them what it is
worth."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from parahost.node.leaf import ActiveLeaf
from parahost.node.messages.base import Message, Reply
from parahost.node.messages.network import (
    RegisterRequestProducer,
    ReportPeer,
    ResolveValidators,
    SendRequest,
)
from parahost.node.messages.validity import (
    DisputeRequested,
    DistributeHolder,
    DistributeVotes,
    ImportHolders,
    ImportVotes,
)
from parahost.node.protocols import DISPUTE_REQUEST
from parahost.node.validity.disputes.distribution import DisputeDistribution
from parahost.node.validity.disputes.effects import VotesVerdict
from parahost.node.validity.disputes.receiving import (
    IMPORTED_AT_ONCE,
    MAX_WAITING_OF_PEER,
    OTHERS_BURST,
    VALIDATORS_BURST,
)
from parahost.node.validity.disputes.sending import AT_ONCE
from parahost.node.validity.disputes.wire import (
    DisputeAnswer,
    DisputeRequest,
    TakeHolder,
    TakeVotes,
)
from parahost.ports import KeyStore, KeyType, RequestFailed
from parahost.primitives.basic import (
    H512,
    U32,
    PeerId,
    SessionIndex,
    ValidatorId,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.disputes import DisputeStatementSet
from parahost.primitives.scale import decode, encode
from parahost.runtime import api
from tests.node.backing.world import RELAY_PARENT, Silent, Stage, keystore, on_stage
from tests.node.harness import scripted_leaf

from .world import OWN, SESSION, VALIDATORS, backs, denies, receipt, session_info

ONE = receipt(1)
SAID = DisputeStatementSet(ONE.hash(), SESSION, (denies(ONE, OWN), backs(ONE, 0)))
VOTES = TakeVotes(ONE, ONE.hash(), SESSION, SAID.statements)
HOLDER = TakeHolder(
    SESSION, ONE.hash(), ValidatorIndex(U32(2)), ValidatorSignature(H512(bytes(64)))
)
NEXT = SessionIndex(U32(SESSION + 1))


def public(index: int) -> ValidatorId:
    return session_info(validators=12).validators[index]


def peer_of(index: int) -> PeerId:
    return PeerId(f"peer-{index}")


def runtime(current: SessionIndex = SESSION, validators: int = VALIDATORS) -> dict[object, object]:
    """A chain in that session, in which only the present sessions' candidates are judged. The next
    session has other validators besides."""
    infos = {SESSION: session_info(), NEXT: session_info(NEXT, validators)}
    return {
        api.earliest_judged_session: lambda: SESSION,
        api.session_index_for_child: lambda: current,
        api.session_info: infos.get,
        api.validators: lambda: infos[current].validators,
    }


def next_leaf(current: SessionIndex = SESSION, validators: int = VALIDATORS) -> ActiveLeaf:
    answers = runtime(current, validators)
    return scripted_leaf(number=2, parent=RELAY_PARENT, answers=answers)  # type: ignore[arg-type]


class ScriptedNetwork:
    """The bridge and the peer set: who is reachable, and what each answers."""

    def __init__(self) -> None:
        self.reachable = set(range(12))
        self.answers: dict[PeerId, list[DisputeAnswer | None]] = {}
        """The next answers of a peer; when there are no more, it takes what comes."""
        self.asked: list[tuple[PeerId, DisputeRequest]] = []

    def resolve(self, request: ResolveValidators) -> dict[ValidatorId, PeerId]:
        return {
            public(each): peer_of(each)
            for each in sorted(self.reachable)
            if public(each) in request.validators
        }

    def send(self, request: SendRequest) -> bytes | RequestFailed:
        assert request.protocol is DISPUTE_REQUEST
        assert len(request.payload) <= DISPUTE_REQUEST.max_request
        self.asked.append((request.peer, decode(DisputeRequest, request.payload)))
        answer = next(iter(self.answers.get(request.peer, ())), DisputeAnswer.TAKEN)
        self.answers[request.peer] = self.answers.get(request.peer, [])[1:]
        if answer is None:
            return RequestFailed(request.peer, request.protocol.name, "timeout")
        return encode(answer)

    def asked_of(self) -> Counter[PeerId]:
        return Counter(peer for peer, _ in self.asked)


@asynccontextmanager
async def stage(
    network: ScriptedNetwork | None = None,
    take: Callable[[ImportVotes], tuple[VotesVerdict, ...]] | None = None,
    own: int | None = OWN,
    keys: KeyStore | None = None,
) -> AsyncIterator[Stage]:
    network = network or ScriptedNetwork()
    answers: dict[type[Message], Callable[[Any], Any]] = {
        ResolveValidators: network.resolve,
        SendRequest: network.send,
        ImportVotes: take or (lambda asked: (VotesVerdict.NEW,) * len(asked.brought)),
        ImportHolders: lambda asked: (VotesVerdict.NEW,) * len(asked.holders),
    }
    held = keys or (keystore() if own is None else keystore(own))
    async with on_stage(
        DisputeDistribution(held),
        answers=answers,
        runtime=runtime(),  # type: ignore[arg-type]
    ) as made:
        yield made


# Sending


async def test_each_validator_is_brought_it_once() -> None:
    network = ScriptedNetwork()
    async with stage(network) as node:
        await node.say(DistributeVotes(ONE, SAID))
        held = HOLDER.session, HOLDER.candidate_hash, HOLDER.validator, HOLDER.signature
        await node.say(DistributeHolder(*held))
    everybody = [peer_of(each) for each in range(VALIDATORS) if each != OWN]
    assert sorted(peer for peer, asked in network.asked if asked == VOTES) == everybody
    assert sorted(peer for peer, asked in network.asked if asked == HOLDER) == everybody


async def test_who_was_not_reached_or_has_no_time_is_asked_until_it_has_it(
    autojump_clock: MockClock,
) -> None:
    network = ScriptedNetwork()
    network.reachable.discard(3)
    network.answers[peer_of(1)] = [DisputeAnswer.LATER, None, DisputeAnswer.TAKEN]
    network.answers[peer_of(2)] = [DisputeAnswer.REFUSED]
    async with stage(network) as node:
        await node.say(DistributeVotes(ONE, SAID))
        assert network.asked_of()[peer_of(3)] == 0
        await trio.sleep(60)
        assert network.asked_of()[peer_of(1)] == 3, "until it has taken it"
        network.reachable.add(3)
        await trio.sleep(60)
        counts = network.asked_of()
    assert counts.pop(peer_of(1)) == 3
    assert set(counts.values()) == {1} and len(counts) == VALIDATORS - 2


async def test_validators_of_the_next_session_are_brought_what_is_not_decided(
    autojump_clock: MockClock,
) -> None:
    network = ScriptedNetwork()
    network.reachable.discard(3)
    async with stage(network) as node:
        await node.say(DistributeVotes(ONE, SAID))
        node.overseer.block_imported(next_leaf(NEXT, validators=9))
        await trio.sleep(60)
    assert {peer_of(7), peer_of(8)} <= set(network.asked_of())


async def test_so_many_requests_are_under_way_at_a_time_and_one_to_each_peer() -> None:
    network, under_way, most = ScriptedNetwork(), Counter[PeerId](), 0

    def hold(request: SendRequest) -> bytes:
        nonlocal most
        under_way[request.peer] += 1
        most = max(most, under_way.total())
        raise Silent

    network.send = hold  # type: ignore[method-assign]
    async with stage(network) as node:
        for number in range(100):
            made = receipt(number)
            said = DisputeStatementSet(made.hash(), SESSION, (denies(made, OWN), backs(made, 0)))
            await node.say(DistributeVotes(made, said))
    assert set(under_way.values()) == {1} and most <= AT_ONCE


# Receiving


def asks(peer: PeerId, request: DisputeRequest | bytes = VOTES) -> DisputeRequested:
    payload = request if isinstance(request, bytes) else encode(request, DisputeRequest)
    return DisputeRequested(peer, payload, Reply())


def answer_to(request: DisputeRequested) -> DisputeAnswer | None:
    value = request.reply.value
    return None if value is None else decode(DisputeAnswer, value)


def costs(node: Stage, peer: PeerId) -> list[int]:
    return [each.change.value for each in node.heard(ReportPeer) if each.peer == peer]


@pytest.mark.parametrize("verdict", list(VotesVerdict))
async def test_each_verdict_has_its_answer_and_only_lies_cost_much(verdict: VotesVerdict) -> None:
    later = {VotesVerdict.UNKNOWN_SESSION, VotesVerdict.TOO_MANY, VotesVerdict.NOT_ASKED}
    async with stage(take=lambda asked: (verdict,)) as node:
        request = asks(peer_of(1))
        await node.say(request)
        earned = sum(costs(node, peer_of(1)))
    if verdict.is_taken:
        assert answer_to(request) is DisputeAnswer.TAKEN and earned >= 0
    elif verdict in later:
        assert answer_to(request) is DisputeAnswer.LATER and -5 <= earned < 0
    else:
        assert answer_to(request) is DisputeAnswer.REFUSED and earned <= -100


@pytest.mark.parametrize("payload", [b"", b"\x07", encode(VOTES, DisputeRequest) + b"\x00"])
async def test_what_is_no_request_costs_and_asks_nobody(payload: bytes) -> None:
    async with stage() as node:
        request = asks(peer_of(1), payload)
        await node.say(request)
        assert answer_to(request) is None and costs(node, peer_of(1)) == [-100]
        assert not node.heard(ImportVotes)


async def test_a_flood_waits_and_pays_while_others_are_served(mock_clock: MockClock) -> None:
    """Who brings more than it may is told to come again; nothing that is heard is more than a
    batch, and another validator's vote is taken. Time stands still."""
    async with stage() as node:
        flood = [asks(peer_of(1)) for _ in range(200)]
        for each in flood:
            await node.say(each)
        honest = asks(peer_of(2))
        await node.say(honest)
        answers = Counter(map(answer_to, flood))
        assert answers[DisputeAnswer.TAKEN] == VALIDATORS_BURST
        assert answers[DisputeAnswer.LATER] == 200 - answers[DisputeAnswer.TAKEN]
        assert sum(costs(node, peer_of(1))) < -500
        assert answer_to(honest) is DisputeAnswer.TAKEN and costs(node, peer_of(2)) == [1]


async def test_strangers_share_what_they_may_bring(mock_clock: MockClock) -> None:
    async with stage() as node:
        requests = [asks(PeerId(f"stranger-{number}")) for number in range(3 * OTHERS_BURST)]
        for each in requests:
            await node.say(each)
        answers = Counter(map(answer_to, requests))
        assert answers[DisputeAnswer.TAKEN] == OTHERS_BURST
        validators = asks(peer_of(1))
        await node.say(validators)
        assert answer_to(validators) is DisputeAnswer.TAKEN, "it has its own share"


async def test_what_waits_is_bounded_and_comes_in_batches_by_turns() -> None:
    """While one batch is being written, the others wait: few of each peer."""
    held: list[ImportVotes] = []

    def hold(asked: ImportVotes) -> tuple[VotesVerdict, ...]:
        held.append(asked)
        raise Silent

    async with stage(take=hold) as node:
        for index in range(VALIDATORS):
            await node.say(asks(peer_of(index)))
        requests = [asks(peer_of(index % 6)) for index in range(120)]
        for each in requests:
            node.overseer.send(each)
        await wait_all_tasks_blocked()
        late = [each for each in requests if each.reply.settled]
        assert {answer_to(each) for each in late} == {DisputeAnswer.LATER}
        assert len(requests) - len(late) <= 6 * MAX_WAITING_OF_PEER
        for batch in held:  # grows meanwhile
            batch.reply.answer((VotesVerdict.NEW,) * len(batch.brought))
            await wait_all_tasks_blocked()
        assert all(each.reply.settled for each in requests)
        assert max(len(batch.brought) for batch in held) == IMPORTED_AT_ONCE


async def test_what_is_sent_and_taken_in_is_counted() -> None:
    network, verdicts = ScriptedNetwork(), [VotesVerdict.NEW, VotesVerdict.ONE_SIDED]
    network.answers[peer_of(1)] = [None]
    async with stage(network, take=lambda _: (verdicts.pop(),)) as node:
        await node.say(DistributeVotes(ONE, SAID))
        for number in (1, 2):
            await node.say(asks(peer_of(number)))
        await node.say(asks(peer_of(3), b"junk"))
        name = "polkadot_parachain_dispute_distribution_"
        assert node.counted(f"{name}sent_requests", success="succeeded") == VALIDATORS - 2
        assert node.counted(f"{name}sent_requests", success="failed") == 1
        assert node.counted(f"{name}received_requests") == 3
        assert node.counted(f"{name}imported_requests", success="succeeded") == 1
        assert node.counted(f"{name}imported_requests", success="failed") == 1


async def test_holders_are_taken_in_beside_votes() -> None:
    async with stage() as node:
        held = asks(peer_of(1), HOLDER)
        await node.say(held)
        (asked,) = node.heard(ImportHolders)
        assert asked.holders == (HOLDER,) and answer_to(held) is DisputeAnswer.TAKEN


async def test_a_node_without_a_validators_key_neither_sends_nor_answers() -> None:
    network = ScriptedNetwork()
    async with stage(network, own=None) as node:
        await node.say(DistributeVotes(ONE, SAID))
        assert not network.asked and not node.neighbours.heard


async def test_a_node_that_is_given_a_validators_key_takes_part_from_then_on() -> None:
    network, keys = ScriptedNetwork(), keystore()
    async with stage(network, keys=keys) as node:
        keys.insert(KeyType.PARACHAIN, f"//validator//{OWN}")
        node.overseer.block_imported(next_leaf())
        await node.rest()
        assert [each.protocol for each in node.heard(RegisterRequestProducer)] == [DISPUTE_REQUEST]
        await node.say(DistributeVotes(ONE, SAID))
        assert network.asked_of().keys() == {peer_of(each) for each in range(VALIDATORS)} - {
            peer_of(OWN)
        }
