"""PoV Distribution: a proof of validity is pulled from those who vouched for it (A88, D12)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import trio

from parahost.node.gossip import COST_MALFORMED
from parahost.node.leaf import ActiveLeaf
from parahost.node.messages.backing import (
    DistributePoV,
    FetchPoV,
    NoteStatement,
    PoVPeerGone,
    PoVRequested,
)
from parahost.node.messages.base import Message
from parahost.node.messages.network import (
    RegisterRequestProducer,
    ReportPeer,
    ReputationChange,
    ResolveValidators,
    SendRequest,
)
from parahost.node.messages.signals import OverseerSignal, StartWork, StopWork
from parahost.node.overseer import Context, Scope, Subsystem
from parahost.node.protocols import POV_REQUEST
from parahost.ports.network import RequestFailed
from parahost.primitives.basic import (
    CandidateHash,
    Hash,
    ParaId,
    PeerId,
    ValidatorId,
    ValidatorIndex,
)
from parahost.primitives.candidates import PoV
from parahost.primitives.hashing import blake2_256
from parahost.primitives.limits import MAX_POV_BYTES, MIB
from parahost.primitives.scale import ScaleDecodeError, decode, encode
from parahost.token_bucket import TokenBucket

MAX_HELD_BYTES = 8 * MAX_POV_BYTES
"""PoVs kept in memory for others, in bytes; of more, the oldest go. The store has them all."""
SERVINGS = 3
"""How often a validator of the group may have a PoV: it may have been lost on the way."""
OTHERS_BURST_BYTES = 2 * MAX_POV_BYTES
OTHERS_BYTES_PER_S = MIB
"""What all others may have together: at once after a rest, and from then on. They are those whose
records have not come yet, and strangers."""
MAX_SOURCES = 64
"""Statements noted per candidate: one PoV needs no more places to ask."""
RETRY_S = 1.0
"""When all who could be asked have failed, how long until they are asked again."""

COST_WRONG_POV = ReputationChange(-300, "a PoV that is not the one that was asked for")
BENEFIT_POV = ReputationChange(10, "the PoV that was asked for")


@dataclass(frozen=True, slots=True)
class PoVRequest:
    """On the wire; the answer is the SCALE form of the PoV."""

    candidate: CandidateHash


def accept(payload: bytes, request: FetchPoV) -> PoV | None:
    """The PoV, when the bytes are the ones that the descriptor names, and not too many."""
    if len(payload) > request.max_pov_size:
        return None
    if blake2_256(payload) != request.descriptor.pov_hash:
        return None
    try:
        pov: PoV = decode(PoV, payload)
    except ScaleDecodeError:
        return None
    return pov


@dataclass(slots=True)
class Source:
    """Somebody who vouched for a candidate, and the peer that brought word of it, while it is
    there."""

    validator: ValidatorIndex
    seconded: bool
    peer: PeerId | None


@dataclass(slots=True)
class Fetch:
    """One candidate's PoV on its way to us."""

    requests: list[FetchPoV]
    news: trio.Event = field(default_factory=trio.Event)
    asked: dict[PeerId, None] = field(default_factory=dict)
    liars: dict[PeerId, None] = field(default_factory=dict)
    scope: Scope = field(default_factory=Scope)
    """It ends when the PoV is there, or is wanted no more."""


@dataclass(slots=True)
class HeldPoV:
    """A PoV that we found valid, and who has had it how often."""

    relay_parent: Hash
    para_id: ParaId
    payload: bytes
    served: dict[PeerId, int] = field(default_factory=dict)


@dataclass(slots=True)
class LeafState:
    leaf: ActiveLeaf
    sources: dict[CandidateHash, list[Source]] = field(default_factory=dict)
    fetches: dict[CandidateHash, Fetch] = field(default_factory=dict)


def in_order(
    sources: list[Source],
    validators: tuple[ValidatorId, ...],
    peers: Mapping[ValidatorId, PeerId],
) -> Iterator[PeerId]:
    """Whom to ask: those who seconded, then those who said Valid, each at its own peer or, where
    that is not known, at the peer that brought its statement; the other such peers last. Nobody,
    as long as nobody has seconded the candidate (A88)."""
    if not any(source.seconded for source in sources):
        return
    ordered = sorted(sources, key=lambda source: not source.seconded)
    for source in ordered:
        own = peers.get(validators[source.validator])
        if (first := own or source.peer) is not None:
            yield first
    yield from (source.peer for source in ordered if source.peer is not None)


class PoVDistribution(Subsystem):
    """Fetches PoVs for Candidate Backing, and serves those that Candidate Backing found valid."""

    name = "pov-distribution"
    receives = (FetchPoV, DistributePoV, NoteStatement, PoVRequested, PoVPeerGone)
    sends: ClassVar[tuple[type[Message], ...]] = (
        RegisterRequestProducer,
        ResolveValidators,
        SendRequest,
        ReportPeer,
    )

    def __init__(self) -> None:
        self._leaves: dict[Hash, LeafState] = {}
        self._held: OrderedDict[CandidateHash, HeldPoV] = OrderedDict()
        self._held_bytes = 0

    def start(self, ctx: Context) -> None:
        super().start(ctx)
        self._for_others = TokenBucket(ctx.clock, OTHERS_BYTES_PER_S, OTHERS_BURST_BYTES)
        ctx.send(RegisterRequestProducer(POV_REQUEST, PoVRequested))

    # Signals

    def on_signal(self, signal: OverseerSignal) -> None:
        match signal:
            case StartWork(leaf):
                self._leaves[leaf.hash] = LeafState(leaf)
            case StopWork(relay_parent):
                self._drop(relay_parent)

    def _drop(self, relay_parent: Hash) -> None:
        state = self._leaves.pop(relay_parent, None)
        if state is None:
            return
        for fetch in state.fetches.values():
            fetch.scope.end()
            for request in fetch.requests:
                request.reply.drop()
        for candidate in [c for c, held in self._held.items() if held.relay_parent == relay_parent]:
            self._let_go(candidate)

    # Handlers

    def on_message(self, message: Message) -> None:
        match message:
            case FetchPoV():
                self._on_fetch(message)
            case DistributePoV():
                self._on_pov(message)
            case NoteStatement():
                self._on_note(message)
            case PoVRequested():
                self._on_requested(message)
            case PoVPeerGone(peer):
                for state in self._leaves.values():
                    for sources in state.sources.values():
                        for source in sources:
                            if source.peer == peer:
                                source.peer = None

    def _on_fetch(self, request: FetchPoV) -> None:
        relay_parent, candidate = request.relay_parent, request.candidate
        state = self._leaves.get(relay_parent)
        if state is None:
            request.reply.drop()
        elif candidate in self._held:
            request.reply.answer(decode(PoV, self._held[candidate].payload))
        elif candidate in state.fetches:
            state.fetches[candidate].requests.append(request)
        else:
            fetch = state.fetches[candidate] = Fetch([request])
            self.ctx.spawn(fetch.scope, lambda: self._fetch(state, request, fetch), "fetch PoV")

    def _on_pov(self, found: DistributePoV) -> None:
        state = self._leaves.get(found.relay_parent)
        if state is None:
            return
        self._hold(found.candidate, HeldPoV(found.relay_parent, found.para_id, encode(found.pov)))
        if found.candidate in state.fetches:
            self._deliver(state, found.candidate, found.pov)

    def _on_note(self, note: NoteStatement) -> None:
        state = self._leaves.get(note.relay_parent)
        if state is None:
            return
        sources = state.sources.setdefault(note.candidate, [])
        if len(sources) >= MAX_SOURCES:
            return
        sources.append(Source(note.validator, note.seconded, note.peer))
        if note.candidate in state.fetches:
            state.fetches[note.candidate].news.set()

    def _on_requested(self, message: PoVRequested) -> None:
        """Hand out what we found valid ourselves, at relay parents that are worked on: to the
        candidate's group, whose duty it is to judge it, and to others as far as that is cheap."""
        try:
            request = decode(PoVRequest, message.payload)
        except ScaleDecodeError:
            self.ctx.send(ReportPeer(message.peer, COST_MALFORMED))
            message.reply.answer(None)
            return
        held = self._held.get(request.candidate)
        if held is None or not self.ctx.spawn(
            held.relay_parent, partial(self._serve, held, message), "serve PoV", message.reply
        ):
            message.reply.answer(None)

    # Jobs

    async def _serve(self, held: HeldPoV, message: PoVRequested) -> None:
        peer = message.peer
        if held.served.get(peer, 0) < SERVINGS and peer in await self._group(held):
            held.served[peer] = held.served.get(peer, 0) + 1
            message.reply.answer(held.payload)
        elif self._for_others.take_up_to(len(held.payload), least=len(held.payload)):
            message.reply.answer(held.payload)
        else:
            message.reply.answer(None)

    async def _group(self, held: HeldPoV) -> Collection[PeerId]:
        """The peers of the candidate's group, by the records that are known."""
        group = self._leaves[held.relay_parent].leaf.assignments.group_keys(held.para_id)
        return (await self.ctx.ask(ResolveValidators(group))).values()

    async def _fetch(self, state: LeafState, request: FetchPoV, fetch: Fetch) -> None:
        """Ask one peer after the other until one has it; ask anew when all have failed, for who
        vouched for a candidate may only just be getting ready."""
        while True:
            fetch.news = trio.Event()
            peer = await self._next_peer(state, request.candidate, fetch)
            if peer is None:
                with trio.move_on_after(RETRY_S) as waiting:
                    await fetch.news.wait()
                if waiting.cancelled_caught:
                    fetch.asked.clear()
                continue
            fetch.asked[peer] = None
            payload = encode(PoVRequest(request.candidate))
            answer = await self.ctx.ask(SendRequest(peer, POV_REQUEST, payload))
            if isinstance(answer, RequestFailed):
                self._record(request, "pov.not_fetched", peer, reason=answer.why)
            elif (pov := accept(answer, request)) is None:
                fetch.liars[peer] = None
                self._record(request, "pov.wrong", peer)
                self.ctx.send(ReportPeer(peer, COST_WRONG_POV))
            else:
                self._record(request, "pov.fetched", peer)
                self.ctx.send(ReportPeer(peer, BENEFIT_POV))
                self._deliver(state, request.candidate, pov)
                return

    async def _next_peer(
        self, state: LeafState, candidate: CandidateHash, fetch: Fetch
    ) -> PeerId | None:
        validators = state.leaf.session.validators
        sources = state.sources.get(candidate, [])
        wanted = tuple(dict.fromkeys(validators[source.validator] for source in sources))
        peers = await self.ctx.ask(ResolveValidators(wanted)) if wanted else {}
        for peer in in_order(sources, validators, peers):
            if peer not in fetch.asked and peer not in fetch.liars:
                return peer
        return None

    # Routines

    def _deliver(self, state: LeafState, candidate: CandidateHash, pov: PoV) -> None:
        fetch = state.fetches.pop(candidate)
        fetch.scope.end()
        for request in fetch.requests:
            request.reply.answer(pov)

    def _hold(self, candidate: CandidateHash, held: HeldPoV) -> None:
        if candidate in self._held:
            return
        self._held[candidate] = held
        self._held_bytes += len(held.payload)
        while self._held_bytes > MAX_HELD_BYTES:
            self._let_go(next(iter(self._held)))

    def _let_go(self, candidate: CandidateHash) -> None:
        self._held_bytes -= len(self._held.pop(candidate).payload)

    def _record(self, request: FetchPoV, event: str, peer: PeerId, **fields: object) -> None:
        self.ctx.journal.record(
            event,
            relay_parent=request.relay_parent,
            candidate=request.candidate,
            peer=peer,
            **fields,
        )
