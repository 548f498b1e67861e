"""Following the head of the chain together with our peers.

Who makes a block, or hears of it from nobody, announces it to everybody; the others to about as
many as the square root of their peers, so that a block costs n sqrt(n) announcements, not n * n.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import isqrt

import trio

from parahost.chain.chain import Chain, ChainEvent
from parahost.chain.errors import FutureSlot
from parahost.chain.importing import Importer
from parahost.chain.sync.catch_up import Chase
from parahost.chain.sync.downloads import Download, Downloads
from parahost.chain.sync.fetching import (
    COST_BAD_BLOCK,
    COST_EMPTY_CLAIM,
    COST_GARBAGE,
    Fetcher,
    ImportJustification,
    Unhelpful,
)
from parahost.chain.sync.messages import (
    ANNOUNCES,
    MAX_BLOCKS,
    SYNC,
    Announce,
    BlockData,
    Status,
    SyncMessage,
)
from parahost.chain.sync.peers import Peer
from parahost.chain.sync.server import JUSTIFICATIONS_SCANNED, answer, looked_at
from parahost.consensus.fanout import sample
from parahost.ports import (
    Clock,
    Network,
    NetworkEvent,
    Notification,
    PeerConnected,
    PeerDisconnected,
    Random,
)
from parahost.primitives.basic import BlockNumber, Hash, PeerId
from parahost.primitives.events import BestBlockEvent, BlockFinalizationEvent
from parahost.primitives.header import Header
from parahost.primitives.scale import ScaleDecodeError, decode_once, encode

log = logging.getLogger(__name__)

WANTED_PER_PEER = 16
COST_GREEDY = -50
COST_UNATTACHED = -50
FINALITY_LAG = 4
"""So far behind a peer's finality we ask for justifications; GRANDPA's own messages do the rest."""
CHASES = 3
"""Peers that are chased at a time. A further one begins when the others have not delivered for
``OTHERS_AFTER_S``."""
FINALITY_ASKED = 3
"""Peers that are asked for justifications at a time."""
OTHERS_AFTER_S = 2.0
"""A block that does not come so long is asked of another peer too."""
CHASE_WITHOUT_BLOCK_S = 30.0
RECONSIDER_S = 1.0
PATIENCE_SLOTS = 4
"""A block that is at most so many slots early is kept until its slot comes."""


@dataclass(slots=True)
class Wanted:
    """A block that peers have told of and we do not have. ``sources`` have yet to be asked."""

    hash: Hash
    number: BlockNumber
    sources: list[PeerId] = field(default_factory=list)
    active: bool = False


class Sync:
    """Hears announcements, fetches what is new, announces what was imported."""

    def __init__(
        self,
        chain: Chain,
        importer: Importer,
        network: Network,
        clock: Clock,
        *,
        random: Random,
        import_justification: ImportJustification,
    ) -> None:
        """Declares its protocols at the network."""
        self._random = random
        self._chain = chain
        self._network = network
        self._clock = clock
        self._fetcher = Fetcher(chain, importer, network, clock, import_justification)
        self._patience = self._fetcher.patience
        self._peers: dict[PeerId, Peer] = {}
        self._wanted: OrderedDict[Hash, Wanted] = OrderedDict()
        self._far: dict[PeerId, int] = {}
        """Peers whose best block is too far ahead, or on too old a fork, to be fetched by going
        back from it; with its number."""
        self._downloads = Downloads(chain, clock)
        self._chases: dict[PeerId, Download] = {}
        """Whom we chase, and what comes of it."""
        self._told_final: int = chain.finalized.number
        self._wake = trio.Event()
        self._stirred = trio.Event()
        self.on_header: Callable[[Header], None] = lambda header: None
        """Called with each header that a peer announces, which nobody has verified."""
        network.on_notification(ANNOUNCES, self._on_event)
        network.on_request(SYNC, self._on_request)
        chain.subscribe(self._on_chain)

    @property
    def catching_up(self) -> bool:
        """Whether authoring is vain: our head is old by its slot and our clock, and what follows it
        comes in. What peers only claim does not count."""
        return self._downloads.leave_us_behind

    @property
    def peers(self) -> Sequence[Peer]:
        """Who is connected, with what each says it has."""
        return tuple(self._peers.values())

    async def run(self) -> None:
        """Fetch what is wanted, for as long as the node runs. Does not return."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_catching_up, nursery)
            nursery.start_soon(self._keep_up_with_finality)
            while True:
                woken = self._wake
                for source, wanted in self._ready():
                    nursery.start_soon(self._fetch, source, wanted)
                    nursery.start_soon(self._let_others_be_asked, wanted)
                await woken.wait()

    def seek(self, peer: PeerId, hash: Hash, number: BlockNumber) -> None:
        """A peer has passed on a word about a block, such as a vote for it: if we lack the block
        and it is near, ask the peer for it. It need not have it."""
        source = self._peers.get(peer)
        if source is not None and number <= self._chain.best.number + MAX_BLOCKS:
            self._want(source, number, hash)

    # What peers say

    def _on_event(self, event: NetworkEvent) -> None:
        match event:
            case PeerConnected(peer=id, role=role):
                slot_s = self._chain.parameters.slot_duration_s
                self._peers[id] = Peer(id, self._clock, slot_s, role)
                self._network.notify([id], ANNOUNCES.name, self._status())
            case PeerDisconnected(peer=id):
                self._peers.pop(id, None)
                self._far.pop(id, None)
                for wanted in list(self._wanted.values()):
                    self._drop_source(wanted, id)
            case Notification(peer=id, payload=payload) if id in self._peers:
                self._on_announcement(self._peers[id], payload)

    def _on_announcement(self, peer: Peer, payload: bytes) -> None:
        try:
            message: SyncMessage = decode_once(SyncMessage, payload)
        except ScaleDecodeError:
            self._network.report(peer.id, COST_GARBAGE, "unreadable announcement")
            return
        if isinstance(message, Status):
            if (lie := self._lie_in(message)) is not None:
                self._network.report(peer.id, COST_GARBAGE, lie)
                return
            peer.status = message
            peer.note_known(message.best_hash)
            self._want(peer, message.best_number, message.best_hash)
            if message.final_number >= self._chain.finalized.number + FINALITY_LAG:
                self._stir()
            return
        header, hash = message.header, message.header.hash()
        peer.note_known(hash)
        self.on_header(header)
        if message.is_best:
            peer.note_best(header.number, hash)
        if self._chain.is_bad(hash) or self._chain.is_bad(header.parent_hash):
            self._network.report(peer.id, COST_BAD_BLOCK, "announces a bad block")
            return
        is_attached = hash in self._chain or header.parent_hash in self._chain
        if not is_attached and not peer.unattached.take_up_to(1, least=1):
            self._network.report(peer.id, COST_UNATTACHED, "announces blocks without parents")
            return
        self._want(peer, header.number, hash)

    def _lie_in(self, status: Status) -> str | None:
        """What nobody honest can say, by what we know."""
        final = status.final_number, status.final_hash
        if status.final_number > status.best_number:
            return "a final block above its best one"
        for number, hash in ((status.best_number, status.best_hash), final):
            if self._chain.number(hash) not in (None, number):
                return "a block under another number"
        ours = self._chain.finalized.number
        if status.final_number <= ours and self._chain.hash_of(final[0]) != final[1]:
            return "another final block than ours"
        return None

    async def _on_request(self, peer: PeerId, payload: bytes) -> bytes | None:
        source = self._peers.get(peer)
        if source is not None and not source.may_ask:
            self._network.report(peer, COST_GREEDY, "asks for more blocks than it is allowed")
            return None
        try:
            blocks = looked_at(payload)
            found = answer(self._chain, payload)
        except ScaleDecodeError:
            self._network.report(peer, COST_GARBAGE, "unreadable sync request")
            return None
        if source is not None:  # a request may come before word of the connection
            source.note_served(blocks, len(found))
        return found

    # What we say

    def _on_chain(self, event: ChainEvent) -> None:
        if isinstance(event, BestBlockEvent):
            self._tell_status(list(self._peers))
            return
        if isinstance(event, BlockFinalizationEvent):
            if self._chain.finalized.number >= self._told_final + FINALITY_LAG:
                self._tell_status(list(self._peers))
            self._forget_final()
            return
        self._wanted.pop(event.hash, None)
        if event.new_best:
            self._downloads.note_better()
        if self.catching_up:
            return
        unaware: Sequence[PeerId] = [
            id for id, peer in self._peers.items() if not peer.knows(event.hash)
        ]
        if len(unaware) < len(self._peers):  # somebody else was first, and tells everybody
            unaware = sample(self._random, unaware, isqrt(len(self._peers)) + 1)
        for id in unaware:
            self._peers[id].note_known(event.hash)
        payload = encode(Announce(event.header, event.new_best), SyncMessage)
        self._network.notify(unaware, ANNOUNCES.name, payload)

    def _tell_status(self, peers: list[PeerId]) -> None:
        """Where we are. Who follows finality by itself need not hear of each step, and who lags
        as far as to ask for help hears of it soon enough."""
        self._told_final = self._chain.finalized.number
        self._network.notify(peers, ANNOUNCES.name, self._status())

    def _status(self) -> bytes:
        best, final = self._chain.best, self._chain.finalized
        status = Status(
            best.number, self._chain.best_hash, final.number, self._chain.finalized_hash
        )
        return encode(status, SyncMessage)

    # Blocks near the head, one by one

    def _want(self, peer: Peer, number: BlockNumber, hash: Hash) -> None:
        """Note that a peer has a block; whether it is new to us, and how far, is found here."""
        if number <= self._chain.finalized.number or hash in self._chain:
            return
        if number > self._chain.best.number + MAX_BLOCKS:
            self._far[peer.id] = number
            self._stir()
            return
        wanted = self._wanted.get(hash)
        if wanted is None:
            of_peer = sum(peer.id in one.sources for one in self._wanted.values())
            if of_peer >= WANTED_PER_PEER:
                return
            wanted = self._wanted[hash] = Wanted(hash, number)
        if peer.id not in wanted.sources:
            wanted.sources.append(peer.id)
        if not wanted.active:
            self._wake_up()

    def _ready(self) -> list[tuple[PeerId, Wanted]]:
        """The wanted blocks, each with an idle peer to ask for it; marks both as taken."""
        ready: list[tuple[PeerId, Wanted]] = []
        for wanted in self._wanted.values():
            if wanted.active:
                continue
            for source in self._patience.ranked(wanted.sources):
                if not self._peers[source].busy:
                    wanted.active = self._peers[source].busy = True
                    ready.append((source, wanted))
                    break
        return ready

    async def _fetch(self, source: PeerId, wanted: Wanted) -> None:
        """Ask a peer for a block and what lies between it and our tree."""
        download = self._downloads.begin()
        try:
            await self._fetch_from(source, wanted, download)
        except (Unhelpful, FutureSlot) as why:
            log.debug("block %s: %s", wanted.hash.hex(), why)
        finally:
            self._downloads.end(download)
            if download.leads_on and self._downloads.head_is_old:  # nothing of it was announced
                self._tell_status(list(self._peers))
            wanted.active = False
            if source in self._peers:
                self._peers[source].busy = False
            self._drop_source(wanted, source)
            self._wake_up()
            if self._far or self._finality_ahead():
                self._stir()

    async def _let_others_be_asked(self, wanted: Wanted) -> None:
        """A slow source has no monopoly."""
        await self._clock.sleep(OTHERS_AFTER_S)
        if wanted.active and wanted.hash in self._wanted:
            wanted.active = False
            self._wake_up()

    async def _fetch_from(self, source: PeerId, wanted: Wanted, download: Download) -> None:
        gap = min(MAX_BLOCKS, wanted.number - self._chain.finalized.number)
        if gap <= 0:
            return
        near = wanted.number <= self._chain.best.number + 1
        told = source in self._peers and self._peers[source].knows(wanted.hash)
        count = min(gap, 4) if near else gap
        blocks = await self._fetcher.ancestry(source, wanted.hash, count, announced=told)
        if not self._connects(blocks[0]) and len(blocks) < gap:
            blocks = await self._fetcher.ancestry(source, wanted.hash, gap)
        if not self._connects(blocks[0]):
            if source in self._peers:
                self._far[source] = wanted.number
                self._stir()
            return
        new = [data for data in blocks if data.hash not in self._chain]
        try:
            await self._fetcher.import_all(source, new, download.gave)
        except FutureSlot as early:
            if early.slot - early.now > PATIENCE_SLOTS:
                raise
            parameters = self._chain.parameters
            await self._clock.sleep(parameters.start_of(early.slot) - self._clock.now())
            await self._fetcher.import_all(source, new, download.gave)

    def _connects(self, oldest: BlockData) -> bool:
        assert oldest.header is not None, "the fetcher has checked it"
        return oldest.hash in self._chain or oldest.header.parent_hash in self._chain

    def _drop_source(self, wanted: Wanted, source: PeerId) -> None:
        if source in wanted.sources:
            wanted.sources.remove(source)
        if not wanted.sources and not wanted.active:
            self._wanted.pop(wanted.hash, None)

    def _forget_final(self) -> None:
        final = self._chain.finalized.number
        for wanted in list(self._wanted.values()):
            if wanted.number <= final and not wanted.active:
                del self._wanted[wanted.hash]

    # Many blocks

    async def _keep_catching_up(self, nursery: trio.Nursery) -> None:
        while True:
            stirred = self._stirred
            leader = self._leader()
            if leader is not None:
                self._chases[leader] = self._downloads.begin()
                nursery.start_soon(self._chase, leader, self._far.pop(leader))
            elif self._far:  # somebody's pause may end, or a chase may stall
                with trio.move_on_after(RECONSIDER_S):
                    await stirred.wait()
            else:
                await stirred.wait()

    async def _chase(self, leader: PeerId, target: int) -> None:
        log.info("catching up: at %d, %s says %d", self._chain.best.number, leader, target)
        within, download = CHASE_WITHOUT_BLOCK_S, self._chases[leader]

        def gave(block: Hash) -> None:
            download.gave(block)
            scope.deadline = trio.current_time() + within

        try:
            with trio.move_on_after(within) as scope:
                chase = Chase(
                    self._chain, self._fetcher, leader, self._having, download.showed, gave
                )
                await chase.run(target)
            if scope.cancelled_caught:
                self._fetcher.blame(leader, COST_EMPTY_CLAIM, "claims blocks and gives none")
        except (Unhelpful, FutureSlot) as why:
            log.info("catching up: %s", why)
            self._patience.failed(leader)
        finally:
            self._downloads.end(self._chases.pop(leader))
        log.info("catching up: got to %d with %s", self._chain.best.number, leader)
        peer = self._peers.get(leader)
        if peer is not None and peer.status is not None:
            self._want(peer, peer.status.best_number, peer.status.best_hash)
        self._tell_status(list(self._peers))
        self._wake_up()
        self._stir()

    def _leader(self) -> PeerId | None:
        """Whom to chase next: of those that claim much, the one that has disappointed least."""
        for id, number in list(self._far.items()):
            if number <= self._chain.finalized.number:
                del self._far[id]
        now = self._clock.now()
        delivers = any(now - one.heard_at < OTHERS_AFTER_S for one in self._chases.values())
        if delivers or len(self._chases) >= CHASES:
            return None
        able = [id for id in self._far if id not in self._chases and not self._patience.pauses(id)]
        return self._patience.ranked(able)[0] if able else None

    def _having(self, number: int) -> list[PeerId]:
        having = [peer.id for peer in self._peers.values() if peer.best_number >= number]
        return self._patience.ranked(id for id in having if not self._patience.pauses(id))

    # Finality

    async def _keep_up_with_finality(self) -> None:
        while True:
            stirred = self._stirred
            if await self._learn_finality():
                continue
            if self._finality_ahead():  # somebody's pause may end
                with trio.move_on_after(RECONSIDER_S):
                    await stirred.wait()
            else:
                await stirred.wait()

    def _finality_ahead(self) -> list[PeerId]:
        """The peers that say to be far ahead of our finality with a block that we have."""
        final = self._chain.finalized.number
        return [
            peer.id
            for peer in self._peers.values()
            if peer.status is not None
            and peer.status.final_number >= final + FINALITY_LAG
            and peer.status.final_hash in self._chain
        ]

    async def _learn_finality(self) -> bool:
        """Ask some peers for what we have missed; whether that got us on."""
        final = self._chain.finalized.number
        able = [id for id in self._finality_ahead() if not self._patience.pauses(id)]
        async with trio.open_nursery() as nursery:
            for peer in self._patience.ranked(able)[:FINALITY_ASKED]:
                nursery.start_soon(self._ask_for_finality, peer, final, nursery.cancel_scope)
        return self._chain.finalized.number > final

    async def _ask_for_finality(
        self, peer: PeerId, final: BlockNumber, others: trio.CancelScope
    ) -> None:
        """A claim counts for nothing until its proof is verified; one without a proof costs."""
        try:
            found = await self._fetcher.justifications(peer, final + 1, JUSTIFICATIONS_SCANNED)
        except Unhelpful:
            return
        for data in found:
            await self._fetcher.justify(peer, data)
        if self._chain.finalized.number > final:
            others.cancel()
        else:
            self._fetcher.blame(peer, COST_EMPTY_CLAIM, "says final what it cannot prove")

    def _wake_up(self) -> None:
        """There may be blocks to fetch."""
        self._wake.set()
        self._wake = trio.Event()

    def _stir(self) -> None:
        """There may be much to catch up with, or finality to learn of."""
        self._stirred.set()
        self._stirred = trio.Event()
