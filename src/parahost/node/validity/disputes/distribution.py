"""Dispute Distribution: each validator's votes get to all others, and are taken by them (D25).

What this node says goes to the validators of the candidate's session and to those of this one, who
write blocks; to each until it has it. What others bring is judged by the Dispute Coordinator, in
batches, and answered when it is on disk.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import ClassVar

from parahost.metrics.metric import Counter
from parahost.node.gossip import COST_MALFORMED
from parahost.node.messages.base import Message, Reply
from parahost.node.messages.network import (
    RegisterRequestProducer,
    ReportPeer,
    ResolveValidators,
    SendRequest,
)
from parahost.node.messages.signals import OverseerSignal, StartWork
from parahost.node.messages.validity import (
    DisputeRequested,
    DistributeHolder,
    DistributeVotes,
    ImportHolders,
    ImportVotes,
)
from parahost.node.overseer import Context, Scope, Subsystem
from parahost.node.protocols import DISPUTE_REQUEST
from parahost.node.validity.disputes.effects import VotesBrought, VotesVerdict
from parahost.node.validity.disputes.receiving import (
    COST_PUSHY,
    OUTCOMES,
    Receiving,
    WaitingRequest,
)
from parahost.node.validity.disputes.sending import SENT, Sender, VoteDelivery
from parahost.node.validity.disputes.sessions import JudgedSessions
from parahost.node.validity.disputes.wire import (
    DisputeAnswer,
    DisputeRequest,
    TakeHolder,
    TakeVotes,
)
from parahost.ports import KeyStore, KeyType
from parahost.primitives.basic import PeerId, SessionIndex, ValidatorId
from parahost.primitives.scale import ScaleDecodeError, decode, encode

RECEIVED = Counter(
    "polkadot_parachain_dispute_distribution_received_requests",
    "Requests of others to take dispute votes, those that are refused at once too.",
)
IMPORTED = Counter(
    "polkadot_parachain_dispute_distribution_imported_requests",
    "Those that were judged, by whether they were taken.",
    ("success",),
    (("succeeded",), ("failed",)),
)


class DisputeDistribution(Subsystem):
    """Sends and takes in. As long as a node holds no validator's key it takes nothing in: it writes
    no blocks."""

    name = "dispute-distribution"
    receives = (DistributeVotes, DistributeHolder, DisputeRequested)
    sends: ClassVar[tuple[type[Message], ...]] = (
        RegisterRequestProducer,
        ResolveValidators,
        SendRequest,
        ReportPeer,
        ImportVotes,
        ImportHolders,
    )
    metrics = (SENT, RECEIVED, IMPORTED)

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys
        self._is_serving = False
        self._sessions = JudgedSessions()
        self._scopes: dict[SessionIndex, Scope] = {}
        """Of each session that is judged, the deliveries of its votes."""
        self._current: tuple[ValidatorId, ...] = ()
        self._validator_peers: dict[PeerId, None] = {}
        """Peers that are known to be validators of sessions that are judged."""
        self._is_importing = False

    def start(self, ctx: Context) -> None:
        super().start(ctx)
        self._receiving, self._sender = Receiving(ctx.clock), Sender(ctx)
        self._serve()

    def _serve(self) -> bool:
        """Whether others may bring votes; from now on, if there is a key by now."""
        if not self._is_serving and self._own_keys():
            self._is_serving = True
            self.ctx.send(RegisterRequestProducer(DISPUTE_REQUEST, DisputeRequested))
        return self._is_serving

    def _own_keys(self) -> frozenset[bytes]:
        return frozenset(map(bytes, self._keys.public_keys(KeyType.PARACHAIN)))

    # Signals

    def on_signal(self, signal: OverseerSignal) -> None:
        if not (isinstance(signal, StartWork) and self._serve()):
            return
        leaf = signal.leaf
        news = self._sessions.learn(leaf)
        for info in news:
            self._scopes[info.session_index] = Scope()
        first = self._sessions.forget(self.ctx.leaves)
        for session in [session for session in self._scopes if session < first]:
            self._scopes.pop(session).end()
        if news:
            self._current = leaf.session.validators
        self.ctx.spawn(leaf.hash, self._note_validators, "note who is a validator")

    # Handlers

    def on_message(self, message: Message) -> None:
        match message:
            case DistributeVotes(receipt, said):
                votes = TakeVotes(receipt, said.candidate_hash, said.session, said.statements)
                self._deliver(said.session, votes)
            case DistributeHolder(session, candidate, validator, signature):
                self._deliver(session, TakeHolder(session, candidate, validator, signature))
            case DisputeRequested():
                self._on_requested(message)
            case _:
                pass

    def _deliver(self, session: SessionIndex, request: DisputeRequest) -> None:
        scope = self._scopes.get(session)
        if scope is not None:
            validators = partial(self._validators, session)
            delivery = VoteDelivery(self._sender, encode(request, DisputeRequest), validators)
            self.ctx.spawn(scope, delivery.run, "bring dispute votes to all")

    def _validators(self, session: SessionIndex) -> Iterable[ValidatorId]:
        """Who is to have votes of that session: all but this node."""
        info = self._sessions.infos.get(session)
        of_session = () if info is None else info.validators
        own = self._own_keys()
        return (each for each in (*of_session, *self._current) if bytes(each) not in own)

    def _on_requested(self, message: DisputeRequested) -> None:
        self.ctx.meter.count(RECEIVED)
        peer, reply = message.peer, message.reply
        try:
            request: DisputeRequest = decode(DisputeRequest, message.payload)
        except ScaleDecodeError:
            self.ctx.send(ReportPeer(peer, COST_MALFORMED))
            reply.answer(None)
            return
        if not self._receiving.may_bring(peer, self._validator_peers):
            self.ctx.send(ReportPeer(peer, COST_PUSHY))
            _answer(reply, DisputeAnswer.LATER)
        elif not self._receiving.add(WaitingRequest(peer, request, reply)):
            _answer(reply, DisputeAnswer.LATER)
        elif not self._is_importing:
            self._is_importing = True
            self.ctx.spawn(None, self._import, "take dispute votes in")

    # Jobs

    async def _import(self) -> None:
        """Take in what waits, a batch after the other. What comes meanwhile is the next one."""
        while batch := self._receiving.take_batch():
            votes = [each for each in batch if isinstance(each.request, TakeVotes)]
            holders = [each for each in batch if isinstance(each.request, TakeHolder)]
            await self._import_votes(votes)
            await self._import_holders(holders)
        self._is_importing = False

    async def _import_votes(self, batch: list[WaitingRequest]) -> None:
        brought = [
            VotesBrought(each.request.receipt, each.request.statement_set())
            for each in batch
            if isinstance(each.request, TakeVotes)
        ]
        if brought:
            self._tell(batch, await self.ctx.ask(ImportVotes(tuple(brought))))

    async def _import_holders(self, batch: list[WaitingRequest]) -> None:
        holders = [each.request for each in batch if isinstance(each.request, TakeHolder)]
        if holders:
            self._tell(batch, await self.ctx.ask(ImportHolders(tuple(holders))))

    def _tell(self, batch: list[WaitingRequest], verdicts: tuple[VotesVerdict, ...]) -> None:
        for each, verdict in zip(batch, verdicts, strict=True):
            answer, change = OUTCOMES[verdict]
            is_taken = answer is DisputeAnswer.TAKEN
            self.ctx.meter.count(IMPORTED, "succeeded" if is_taken else "failed")
            if change is not None:
                self.ctx.send(ReportPeer(each.peer, change))
            _answer(each.reply, answer)

    async def _note_validators(self) -> None:
        """Which peers are validators of sessions that are judged: they have more to bring."""
        infos = self._sessions.infos.values()
        validators = dict.fromkeys(key for info in infos for key in info.validators)
        peers = await self.ctx.ask(ResolveValidators(tuple(validators)))
        self._validator_peers = dict.fromkeys(peers.values())


def _answer(reply: Reply[bytes | None], answer: DisputeAnswer) -> None:
    reply.answer(encode(answer))
