"""Availability Distribution, protocol ``avad``: each validator gets its chunk (A89-A93).

The guide gossips every chunk to everybody, which would multiply each PoV by three times the number
of peers. Here a chunk goes where it is wanted: chunk i straight to validator i's peer. For 5 MB and
1,000 validators a chunk has 15,744 bytes: all backers together send 16 MB, where plain gossip sends
16 MB to each peer. What remains of gossip:

- Only when validator i is not connected is its chunk relayed, to a few peers who do the same, for
  a bounded number of hops.
- All backers hold everything. Of g, the k-th sends the chunks i = k (mod g) to those who are no
  backers.
- Whoever still lacks its chunk after a moment asks for it, one backer after another. So nobody need
  tell the backers what has arrived.

Everything is tried again on each view change, ours and peers' (A91).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import ClassVar

import trio

from parahost.consensus.fanout import RELAY_FANOUT, sample
from parahost.node.availability.chunk_gossip import (
    RELAY_HOPS,
    ChunkGossip,
    LiveCandidate,
    judge,
)
from parahost.node.availability.chunk_request import ChunkRequest, fetch_chunk
from parahost.node.availability.live import LiveLookup
from parahost.node.availability.pending import PendingCandidate
from parahost.node.gossip import (
    COST_MALFORMED,
    COST_NOT_IN_VIEW,
    Acceptance,
    GossipPeers,
)
from parahost.node.messages.availability import (
    AvailabilityNetwork,
    ChunkRequested,
    QueryChunk,
    StoreChunk,
    TakeChunks,
)
from parahost.node.messages.base import Message
from parahost.node.messages.network import (
    NetworkBridgeEvent,
    OurViewChange,
    PeerDisconnected,
    PeerMessage,
    PeerSet,
    PeerViewChange,
    RegisterEventProducer,
    RegisterRequestProducer,
    ReportPeer,
    ResolveValidators,
    SendMessage,
    SendRequest,
    View,
)
from parahost.node.messages.signals import OverseerSignal, StartWork
from parahost.node.messages.utility import BlockHeader, RuntimeApiRequest
from parahost.node.overseer import Context, Subsystem
from parahost.node.protocols import AVAILABILITY_DISTRIBUTION, CHUNK_REQUEST
from parahost.ports import KeyStore, KeyType
from parahost.primitives.availability import ErasureChunk
from parahost.primitives.basic import (
    CandidateHash,
    ChunkIndex,
    Hash,
    PeerId,
    ValidatorId,
    ValidatorIndex,
)
from parahost.primitives.scale import ScaleDecodeError, decode, decode_once, encode

PULL_AFTER_S = 0.4
"""When a validator asks for its chunk that has not come."""
PULL_EVERY_S = 1.0
"""When it asks again."""
PULLS_AT_ONCE = 3
"""How many are asked for a chunk at a time, so that a silent backer holds nobody up."""
_NOBODY = PeerId("")
MAX_KNOWN_HEADS = 256
"""Leaves whose live candidates are remembered; peers' leaves that nobody here works on, mostly."""
REMEMBERED_CANDIDATES = 256
"""Candidates that were live until lately: what comes of them then was under way, and is nobody's
fault."""
MAX_WAITING_BYTES = 64 * 1024 * 1024
"""Chunks that may wait while our new view is being looked up; more are let go, and asked for."""


class AvailabilityDistribution(Subsystem):
    """One long-lived job looks up views and sends; short ones take the store's chunks, and ask."""

    name = "availability-distribution"
    receives = (AvailabilityNetwork, ChunkRequested)
    sends: ClassVar[tuple[type[Message], ...]] = (
        RegisterEventProducer,
        RegisterRequestProducer,
        SendMessage,
        SendRequest,
        ReportPeer,
        ResolveValidators,
        RuntimeApiRequest,
        BlockHeader,
        QueryChunk,
        StoreChunk,
        TakeChunks,
    )

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys
        self._peers = GossipPeers()
        self._leaves: OrderedDict[Hash, dict[CandidateHash, PendingCandidate]] = OrderedDict()
        self._live: dict[CandidateHash, LiveCandidate] = {}
        self._past: deque[CandidateHash] = deque(maxlen=REMEMBERED_CANDIDATES)
        self._peer_of: dict[ValidatorId, PeerId] = {}
        self._validators_of: dict[PeerId, list[ValidatorId]] = {}
        """Several may name one peer, and not all of them rightly: each has its own chunk."""
        self._met: tuple[tuple[ValidatorId, ...], ...] | None = None
        """The sessions whose validators are all known and connected; ``None`` when that may have
        changed, or some are not."""
        self._followed = View()
        self._waiting: list[tuple[PeerId, ChunkGossip]] = []
        self._waiting_bytes = 0
        self._stale: dict[PeerId, None] = {}
        """Peers to which something may have to be sent."""
        self._wake = trio.Event()

    def start(self, ctx: Context) -> None:
        super().start(ctx)
        self._lookup = LiveLookup(ctx)
        ctx.send(
            RegisterEventProducer(
                AVAILABILITY_DISTRIBUTION, PeerSet.VALIDATION, AvailabilityNetwork
            )
        )
        ctx.send(RegisterRequestProducer(CHUNK_REQUEST, ChunkRequested))
        ctx.spawn(None, self._work, "distribute")

    # Signals

    def on_signal(self, signal: OverseerSignal) -> None:
        if isinstance(signal, StartWork):
            self._lookup.note(signal.leaf)

    # Handlers

    def on_message(self, message: Message) -> None:
        match message:
            case AvailabilityNetwork(event):
                self._on_network(event)
            case ChunkRequested():
                self._on_request(message)

    def _on_network(self, event: NetworkBridgeEvent) -> None:
        self._peers.note(event)
        match event:
            case PeerMessage(peer, payload):
                try:
                    gossip: ChunkGossip = decode_once(ChunkGossip, payload)
                except ScaleDecodeError:
                    self.ctx.send(ReportPeer(peer, COST_MALFORMED))
                    return
                self._on_chunk(peer, gossip)
            case PeerViewChange(peer, _):
                self._offer_to((peer,))
            case PeerDisconnected(peer):
                self._met = None
                self._stale.pop(peer, None)
                for live in self._live.values():
                    live.forget(peer)
            case OurViewChange():
                self._met = None
                self._wake.set()

    def _on_chunk(self, peer: PeerId, gossip: ChunkGossip) -> None:
        live = self._live.get(gossip.candidate)
        if live is None:
            if gossip.candidate in self._past:
                return
            if self._followed == self._peers.ours:
                self.ctx.send(ReportPeer(peer, COST_NOT_IN_VIEW))
            elif self._waiting_bytes + len(gossip.chunk.chunk) <= MAX_WAITING_BYTES:
                self._waiting.append((peer, gossip))
                self._waiting_bytes += len(gossip.chunk.chunk)
            return
        verdict = judge(live, peer, gossip.chunk)
        self._peers.report(self.ctx, peer, verdict.change)
        if verdict.acceptance is Acceptance.REJECT:
            return
        live.peer_sent(peer, gossip.chunk.index)
        if verdict.acceptance is Acceptance.ACCEPT:
            self._hold(live, gossip.chunk, gossip.hops)
            if gossip.chunk.index != live.own:
                self._offer_to(self._peers.all())

    def _on_request(self, message: ChunkRequested) -> None:
        try:
            wanted: ChunkRequest = decode(ChunkRequest, message.payload)
        except ScaleDecodeError:
            self.ctx.send(ReportPeer(message.peer, COST_MALFORMED))
            message.reply.answer(None)
            return
        live = self._live.get(wanted.candidate)
        if live is not None and wanted.index in live.chunks:
            message.reply.answer(encode(live.chunks[wanted.index]))
            live.peer_has(message.peer, wanted.index)
            return

        async def answer_from_store() -> None:
            chunk = await self.ctx.ask(QueryChunk(wanted.candidate, wanted.index))
            message.reply.answer(None if chunk is None else encode(chunk))

        self.ctx.spawn(None, answer_from_store, "answer chunk request")

    # Jobs

    async def _work(self) -> None:
        """Follow views, and send whatever can be sent."""
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            while self._followed != self._peers.ours:
                await self._follow(self._peers.ours)
            stale, self._stale = self._stale, {}
            for peer in stale:
                for relay_parent in self._peers.view(peer).heads:
                    await self._learn(relay_parent)
            await self._resolve()
            self._offer(sample(self.ctx.random, stale, len(stale)))

    async def _follow(self, view: View) -> None:
        """Our view has changed: some candidates come alive, some are live no more."""
        wanted: dict[CandidateHash, PendingCandidate] = {}
        for relay_parent in view.heads:
            wanted |= await self._learn(relay_parent)
        for candidate in [c for c in self._live if c not in wanted]:
            del self._live[candidate]
            self._past.append(candidate)
        new = [LiveCandidate.of(p, self._own(p)) for c, p in wanted.items() if c not in self._live]
        for live in new:
            self._live[live.pending.hash] = live
        if new:
            self.ctx.spawn(None, partial(self._obtain, new), "obtain own chunks")
        for live in self._live.values():
            if not live.is_complete and live.place is not None:
                self.ctx.spawn(None, partial(self._share, live), "share")
        self._followed = view
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        for peer, gossip in waiting:
            self._on_chunk(peer, gossip)
        self._offer_to(self._peers.all())

    async def _learn(self, relay_parent: Hash) -> dict[CandidateHash, PendingCandidate]:
        """The leaf's live candidates; none while it is unknown."""
        if relay_parent not in self._leaves:
            found = await self._lookup.of(relay_parent)
            if found is None:
                return {}
            self._leaves[relay_parent] = found
            if len(self._leaves) > MAX_KNOWN_HEADS:
                self._leaves.popitem(last=False)
        self._leaves.move_to_end(relay_parent)
        return self._leaves[relay_parent]

    async def _resolve(self) -> None:
        """Bring who is who up to date for all sessions that have a live candidate. Where all are
        met, that is so until our view or our peers change; else somebody may come at any time."""
        sessions = tuple(dict.fromkeys(live.pending.validators for live in self._live.values()))
        if sessions == self._met:
            return
        known: dict[ValidatorId, PeerId] = {}
        for validators in sessions:
            found: Mapping[ValidatorId, PeerId] = await self.ctx.ask(ResolveValidators(validators))
            known.update(found)
        self._peer_of = known
        self._validators_of = {}
        for validator, peer in known.items():
            self._validators_of.setdefault(peer, []).append(validator)
        ourselves = dict.fromkeys(self._keys.public_keys(KeyType.PARACHAIN))
        complete = all(
            validator in ourselves or known.get(validator, _NOBODY) in self._peers
            for session in sessions
            for validator in session
        )
        self._met = sessions if complete else None

    async def _share(self, live: LiveCandidate) -> None:
        """If we have the data: keep our own chunk, send the others their own (A92)."""
        pending = live.pending
        made = await self.ctx.ask(TakeChunks(pending.hash, len(pending.validators)))
        if made is None or live.is_complete or not self._is_live(live):
            return
        assert made.erasure_root == pending.erasure_root, "the store keeps only what gives the root"
        for chunk in made.chunks:
            if chunk.index not in live.chunks:
                self._hold(live, chunk, RELAY_HOPS)
        self.ctx.journal.record("availability.sharing", candidate=live.pending.hash)
        self._offer_to(self._peers.all())

    async def _obtain(self, candidates: Sequence[LiveCandidate]) -> None:
        """Our own chunks: from our store, or by themselves, or by asking."""
        for live in candidates:
            if live.own is not None:
                kept = await self.ctx.ask(QueryChunk(live.pending.hash, live.own))
                if kept is not None and self._misses(live):
                    self._hold(live, kept, 0)
        if not any(map(self._misses, candidates)):
            return
        await self.ctx.clock.sleep(PULL_AFTER_S)
        for live in filter(self._misses, candidates):
            self.ctx.spawn(None, partial(self._keep_asking, live), "ask for own chunk")

    async def _keep_asking(self, live: LiveCandidate) -> None:
        while self._misses(live):
            await self._pull(live)
            if self._misses(live):
                await self.ctx.clock.sleep(PULL_EVERY_S)

    async def _pull(self, live: LiveCandidate) -> None:
        """Ask for our chunk, a few peers at a time, until one gives it."""
        sources = iter(await self._sources(live))

        async def ask_one_after_another() -> None:
            for peer in sources:
                await self._ask(live, peer)
                if not self._misses(live):
                    nursery.cancel_scope.cancel()
                    return

        async with trio.open_nursery() as nursery:
            for _ in range(PULLS_AT_ONCE):
                nursery.start_soon(ask_one_after_another)

    async def _ask(self, live: LiveCandidate, peer: PeerId) -> None:
        """Ask one peer for our chunk."""
        pending, own = live.pending, live.own
        assert own is not None, "who has no chunk misses none"
        request = ChunkRequest(pending.hash, own)
        chunk = await fetch_chunk(
            self.ctx, peer, request, pending.erasure_root, len(pending.validators)
        )
        if chunk is not None and self._misses(live):
            live.peer_has(peer, own)
            self._hold(live, chunk, 0)

    async def _sources(self, live: LiveCandidate) -> list[PeerId]:
        """Whom to ask for our chunk: the backers, then a few others, who may have it to relay."""
        await self._resolve()
        backers = self._backers(live)
        others = [p for p in self._peers.all() if p not in backers]
        return [
            *sample(self.ctx.random, backers, len(backers)),
            *sample(self.ctx.random, others, RELAY_FANOUT),
        ]

    # Routines

    def _own(self, pending: PendingCandidate) -> ChunkIndex | None:
        held = dict.fromkeys(self._keys.public_keys(KeyType.PARACHAIN))
        for index, validator in enumerate(pending.validators):
            if validator in held:
                return _chunk_index(index)
        return None

    def _is_live(self, live: LiveCandidate) -> bool:
        return self._live.get(live.pending.hash) is live

    def _misses(self, live: LiveCandidate) -> bool:
        """Whether there is a chunk for us that we have not got."""
        return live.own is not None and live.own not in live.chunks and self._is_live(live)

    def _hold(self, live: LiveCandidate, chunk: ErasureChunk, hops: int) -> None:
        """Take a proven chunk; our own one goes to the store (A93)."""
        live.hold(chunk, hops)
        if chunk.index == live.own and self._is_live(live):
            self.ctx.send(StoreChunk(live.pending.hash, chunk))

    def _backers(self, live: LiveCandidate) -> list[PeerId]:
        """The backing group's connected peers."""
        validators = (live.pending.validators[index] for index in live.pending.backers)
        peers = (self._peer_of.get(validator) for validator in validators)
        return [peer for peer in peers if peer is not None and peer in self._peers]

    def _offer_to(self, peers: tuple[PeerId, ...]) -> None:
        """Send them soon what there is for them."""
        sharing = [live for live in self._live.values() if live.has_more_than_own]
        stale = [peer for peer in peers if self._may_want(peer, sharing)]
        if stale:
            self._stale |= dict.fromkeys(stale)
            self._wake.set()

    def _may_want(self, peer: PeerId, sharing: Sequence[LiveCandidate]) -> bool:
        """Whether there may be something for the peer, if it works on one of the candidates."""
        if self._met is None:
            return bool(sharing)  # not all validators are connected: something may be relayed
        return any(True for live in sharing for _ in self._owed(peer, live))

    def _owed(self, peer: PeerId, live: LiveCandidate) -> Iterator[ChunkIndex]:
        """The chunks of the peer's validators that are ours to send and that it has not got."""
        for validator in self._validators_of.get(peer, ()):
            index = live.index_of.get(validator)
            if index is not None and live.may_send(index) and not live.has(peer, index):
                yield index

    def _offer(self, peers: Sequence[PeerId]) -> None:
        """Send to each of the peers what it wants or should pass on, of what it works on."""
        for live in self._live.values():
            if not live.has_more_than_own:
                continue
            working = [peer for peer in peers if self._works_on(peer, live)]
            for peer in working:
                for owed in self._owed(peer, live):
                    self._send_chunk(live, peer, owed, hops=0)
            for index in self._unreachable(live):
                for peer in working:
                    if live.relays_left(index) and not live.has(peer, index):
                        live.note_relay(index)
                        self._send_chunk(live, peer, index, hops=live.hops[index] - 1)

    def _unreachable(self, live: LiveCandidate) -> list[ChunkIndex]:
        """The chunks that we should have others pass on."""
        if self._met is not None:
            return []
        validators = live.pending.validators
        return [
            index
            for index in live.chunks
            if self._peer_of.get(validators[index], _NOBODY) not in self._peers
            and index != live.own
            and live.relays_left(index)
        ]

    def _works_on(self, peer: PeerId, live: LiveCandidate) -> bool:
        """Whether the candidate is live in the peer's view."""
        candidate = live.pending.hash
        return any(candidate in self._leaves.get(h, ()) for h in self._peers.view(peer).heads)

    def _send_chunk(self, live: LiveCandidate, peer: PeerId, index: ChunkIndex, hops: int) -> None:
        live.peer_has(peer, index)
        gossip = ChunkGossip(live.pending.hash, live.chunks[index], hops)  # type: ignore[arg-type]
        self.ctx.send(SendMessage((peer,), AVAILABILITY_DISTRIBUTION, encode(gossip)))


def _chunk_index(index: int) -> ChunkIndex:
    return ChunkIndex(ValidatorIndex(index))  # type: ignore[arg-type]
