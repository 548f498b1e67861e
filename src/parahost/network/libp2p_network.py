"""The real network (D31): TCP, noise and yamux as libp2p has them, behind ``ports.Network``.

The node declares its protocols, then runs this beside itself. From then on it listens, dials
(:mod:`dialling`), agrees with whoever is reached (:mod:`handshake`) and serves one session per peer
(:mod:`session`). Of a host that py-libp2p would make of this, with identify, peer routing and a
dozen transports, nothing is needed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from socket import MSG_PEEK
from typing import TYPE_CHECKING

import trio

from parahost.metrics.metric import Reading
from parahost.network import yamux
from parahost.network.arrivals import Arrival, Arrivals
from parahost.network.budgets import Budgets
from parahost.network.dialling import DialledFor, PeerDialler
from parahost.network.errors import PeerError
from parahost.network.handshake import (
    MAX_LISTEN_ADDRESSES,
    VERSION,
    HandshakeVerdict,
    Hello,
    agree,
    listen_addresses,
)
from parahost.network.holdings import Holdings
from parahost.network.identity import Identity
from parahost.network.incidents import Incidents
from parahost.network.limits import NetworkLimits
from parahost.network.metrics import network_readings
from parahost.network.operator_addresses import (
    parse_listen,
    parse_permanent,
    parse_public,
)
from parahost.network.peers import PeerBook
from parahost.network.places import NoPlace, Places
from parahost.network.reputation import ReputationBook
from parahost.network.session import PeerSession, PeerTalk, Protocols
from parahost.network.traffic import BytesMoved, CountedStream
from parahost.network.transport import open_listeners, upgrade
from parahost.ports.clock import Clock
from parahost.ports.journal import Journal
from parahost.ports.network import (
    EventHandler,
    NotificationProtocol,
    ObservedRole,
    RequestFailed,
    RequestHandler,
    RequestProtocol,
)
from parahost.ports.random import Random
from parahost.primitives.addresses import (
    AddressError,
    PeerAddress,
    is_loopback,
    network_of,
    parse_told,
)
from parahost.primitives.basic import H256, PeerId

if TYPE_CHECKING:
    from trio_typing import TaskStatus

log = logging.getLogger(__name__)

_HANDSHAKE = "handshake"


class Libp2pNetwork:
    """``ports.Network`` over libp2p.

    :param seed: the node key, 32 bytes; the caller keeps it in a file.
    :param listen: multiaddresses; port 0 lets the system choose.
    :param genesis: the chain: nodes of another one are not spoken to.
    :param bootnodes: multiaddresses with ``/p2p/<peer id>``, dialled until this node stops.
    :param public_addresses: multiaddresses at which others reach this node, told before those at
        which it listens.
    :raises NetworkError: when an address is malformed.
    """

    def __init__(
        self,
        seed: bytes,
        *,
        listen: Sequence[str],
        genesis: H256,
        role: ObservedRole,
        bootnodes: Sequence[str],
        clock: Clock,
        random: Random,
        journal: Journal,
        limits: NetworkLimits | None = None,
        public_addresses: Sequence[str] = (),
    ) -> None:
        self._identity = Identity(seed)
        self._listen = [parse_listen(text) for text in listen]
        self._genesis = genesis
        self._role = role
        self._clock = clock
        self._journal = journal
        self._limits = limits or NetworkLimits()
        self._protocols = Protocols(f"/parahost/{genesis.hex()}")
        self._incarnation = random.bytes(16)
        self._book = PeerBook(self._identity.peer, clock, random, self._limits)
        self._reputation = ReputationBook(clock, self._limits)
        self._holdings = Holdings(self._limits)
        self.incidents = Incidents()
        """What went wrong on connections, and was kept to them."""
        self._moved = BytesMoved()
        self._sessions: dict[PeerId, PeerSession] = {}
        self._places = Places(clock, self._limits, self._book, self._reputation, self._is_live)
        """Of those who have sessions."""
        self._establishing: set[PeerId] = set()
        self._denied: frozenset[PeerId] = frozenset()
        self._budgets = Budgets(clock, self._limits)
        self._arrivals = Arrivals(clock, self._limits, self._budgets)
        self._dialler = PeerDialler(
            self._book,
            clock,
            self._limits,
            self.incidents,
            DialledFor(self._engaged, self._is_wanted, self._upgrade, self._carry),
        )
        self._public = [parse_public(text, self._identity.peer) for text in public_addresses]
        self._listening: list[PeerAddress] = []
        self._running = False
        for text in bootnodes:
            self._book.add_permanent(parse_permanent(text))

    # ports.Network

    @property
    def local_peer(self) -> PeerId:
        return self._identity.peer

    def on_notification(self, protocol: NotificationProtocol, handler: EventHandler) -> None:
        self._declare(protocol.name)
        self._protocols.notifications[protocol.name] = (protocol, handler)

    def on_request(self, protocol: RequestProtocol, handler: RequestHandler) -> None:
        self._declare(protocol.name)
        self._protocols.requests[protocol.name] = (protocol, handler)

    def notify(self, peers: Sequence[PeerId], protocol: str, payload: bytes) -> None:
        declared, _ = self._protocols.notifications[protocol]
        if len(payload) > declared.max_size:
            self.incidents.dropped(protocol, len(payload), declared.max_size)
            return
        for peer in peers:
            session = self._sessions.get(peer)
            if session is not None and session.is_live:
                session.notify(protocol, payload)

    async def request(self, peer: PeerId, protocol: RequestProtocol, payload: bytes) -> bytes:
        if len(payload) > protocol.max_request:
            self.incidents.dropped(protocol.name, len(payload), protocol.max_request)
            raise RequestFailed(peer, protocol.name, "too_large")
        session = self._sessions.get(peer)
        if session is None or not session.is_live:
            raise RequestFailed(peer, protocol.name, "disconnected")
        return await session.request(protocol, payload)

    def report(self, peer: PeerId, change: int, reason: str) -> None:
        banned = self._reputation.change(peer, change)
        log.debug("reputation of %s: %+d (%s)", peer, change, reason)
        if banned:
            seconds = self._limits.ban_s
            self._journal.record("peer.banned", peer=peer, seconds=seconds, reason=reason)
            self._drop(peer, f"banned: {reason}")

    def disconnect(self, peer: PeerId) -> None:
        self._drop(peer, "disconnected by this node")

    def connected(self) -> Sequence[PeerId]:
        """In ascending order of the peer ids."""
        return sorted(filter(self._is_live, self._sessions))

    # ports.PeerSteering

    @property
    def listen_addresses(self) -> Sequence[str]:
        """Where this node is reached, with real ports and its peer id: first its public addresses,
        then where it listens; empty before it runs."""
        if not self._listening:
            return []
        return [str(address) for address in dict.fromkeys([*self._public, *self._listening])]

    def sign(self, message: bytes) -> bytes:
        return self._identity.sign(message)

    def prioritise(self, peers: Sequence[PeerId]) -> None:
        """From now on, dial these peers first and never give up their places to others: the
        validators of this and the next session (D18). Replaces what was said before."""
        self._book.prioritise(peers)

    def learn_addresses(self, addresses: Sequence[str]) -> None:
        """See the port. Loopback addresses mean something only to who is on loopback too."""
        local = all(address.is_loopback for address in self._listening)
        known = []
        for text in addresses:
            try:
                known.append(parse_told(text))
            except AddressError:
                continue
        self._book.learn(each for each in known if local or not each.is_loopback)

    @property
    def reserved(self) -> Sequence[PeerId]:
        return self._book.reserved

    def reserve(self, address: str) -> None:
        self._book.reserve(parse_told(address))

    def release(self, peer: PeerId) -> None:
        self._book.release(peer)

    # Beyond the ports: what starts a node needs.

    def add_reserved(self, address: str) -> None:
        """Keep dialling this address (with ``/p2p/``) as if it were a bootnode's, and keep a place
        for whoever has it.

        :raises NetworkError: when it is malformed.
        """
        self._book.reserve(parse_permanent(address))

    def deny(self, peers: Collection[PeerId]) -> None:
        """From now on, have no connections with these peers, and again with those that were denied
        before."""
        healed = self._denied - set(peers)
        self._denied = frozenset(peers)
        for peer in peers:
            self._drop(peer, "denied by this node's operator")
        for peer in healed:
            self._book.retry(peer)

    def readings(self) -> Iterator[Reading]:
        """What :mod:`parahost.network.metrics` declares, as it is now."""
        roles = (session.role for session in self._sessions.values() if session.is_live)
        return network_readings(self._moved, roles, self.incidents, self._holdings)

    async def run(self, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Take part until cancelled. Started once it listens.

        :raises NetworkError: when it cannot listen.
        """
        self._running = True
        listeners, self._listening = await open_listeners(self._listen, self.local_peer)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, self._on_inbound, listeners)
            task_status.started()
            await self._dialler.run(nursery)

    # Listening.

    async def _on_inbound(self, stream: trio.SocketStream) -> None:
        arrival: Arrival | None = None
        try:
            host = str(stream.socket.getpeername()[0])
            with trio.move_on_after(self._limits.silence_timeout_s) as scope:
                arrival = self._arrivals.arrives(network_of(host), scope.cancel)
                said = await stream.socket.recv(1, MSG_PEEK)
                if not said or not self._arrivals.speaks(arrival):
                    return
                scope.deadline = trio.current_time() + self._limits.handshake_timeout_s
                mux = await self._upgrade(stream, None)
            if scope.cancelled_caught or arrival not in self._arrivals:
                return
            arrival.end = partial(mux.abort, "newer connections took its place")
            await self._carry(mux, host, partial(self._arrivals.left, arrival))
        except (OSError, PeerError) as error:
            log.debug("an inbound connection: %s", error)
        except Exception as error:
            self.incidents.failed("an inbound connection", None, error)
        finally:
            if arrival is not None:
                self._arrivals.left(arrival)

    def _engaged(self) -> list[PeerId]:
        """Who has a session with us, or is about to."""
        return [*self._sessions, *self._establishing]

    def _is_wanted(self, peer: PeerId) -> bool:
        return not self._reputation.is_banned(peer) and self._places.is_wanted(peer)

    async def _upgrade(self, stream: trio.SocketStream, expected: PeerId | None) -> yamux.Yamux:
        counted = CountedStream(stream, self._moved)
        return await upgrade(counted, self._identity, expected, self._limits.yamux, self._holdings)

    # A connection's life.

    async def _carry(self, mux: yamux.Yamux, host: str, settled: Callable[[], None]) -> None:
        """Serve a connection to its end; tell when it became a session."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(mux.run)
            try:
                session = await self._establish(mux, host)
                settled()
                await self._serve(session, host, outbound=mux.initiator)
            except (PeerError, trio.TooSlowError) as error:
                log.debug("connection with %s: %s", mux.peer, error)
                self._dialler.note_unreached(mux.peer, error)
            finally:
                mux.abort("the session is over")
        if mux.failure is not None:
            self.incidents.failed("the muxer", mux.peer, mux.failure)

    async def _establish(self, mux: yamux.Yamux, host: str) -> PeerSession:
        """Agree with the peer on a session, and make it the one that it has with us.

        :raises PeerError: when there is to be none.
        :raises trio.TooSlowError: when the peer takes too long.
        """
        peer = mux.peer
        hello = Hello(
            VERSION,
            self._genesis,
            self._role,
            self._incarnation,
            tuple(self.listen_addresses[:MAX_LISTEN_ADDRESSES]),
        )
        claimed = False

        def decide(theirs: Hello) -> HandshakeVerdict:
            nonlocal claimed
            verdict = self._judge(peer, theirs, host)
            if verdict is HandshakeVerdict.ACCEPT and self._decides_for(peer):
                self._establishing.add(peer)
                claimed = True
            return verdict

        try:
            with trio.fail_after(self._limits.handshake_timeout_s):
                control, theirs = await agree(
                    mux, self.local_peer, self._protocols.full_name(_HANDSHAKE), hello, decide
                )
            self._learn(host, peer, listen_addresses(theirs, peer, host))
            session = self._session(mux, host, control, theirs)
            while (old := self._sessions.get(peer)) is not None:
                old.abort("replaced by a newer connection")
                await old.done.wait()
            if self._is_refused(peer):
                raise PeerError("banned or denied meanwhile")
            self._make_place(peer, theirs.role, host)
            self._sessions[peer] = session
        finally:
            if claimed:
                self._establishing.discard(peer)
        return session

    def _session(
        self, mux: yamux.Yamux, host: str, control: yamux.Stream, theirs: Hello
    ) -> PeerSession:
        return PeerSession(
            mux,
            control,
            theirs,
            network=network_of(host),
            burst=self._burst_of(mux.peer, host),
            protocols=self._protocols,
            limits=self._limits,
            clock=self._clock,
            talk=PeerTalk(
                self.report,
                self._known_addresses,
                partial(self._learn, host, mux.peer),
                self._book.is_protected,
            ),
            incidents=self.incidents,
        )

    async def _serve(self, session: PeerSession, host: str, *, outbound: bool) -> None:
        """A session from its beginning to its end."""
        peer = session.peer
        self._dialler.note_reached(peer)
        self._journal.record(
            "peer.connected",
            peer=peer,
            role=session.role.name.lower(),
            direction="out" if outbound else "in",
            address=host,
        )
        begun = self._clock.now()
        try:
            await session.run()
        finally:
            del self._sessions[peer]
            self._places.give_up(peer)
            session.done.set()
            lasted_s = self._clock.now() - begun
            self._book.ended(peer, lasted_s)
            self._journal.record(
                "peer.disconnected", peer=peer, seconds=lasted_s, reason=session.ended or ""
            )

    def _decides_for(self, peer: PeerId) -> bool:
        """Whether it is us who choose among the connections with a peer."""
        return self.local_peer < peer

    def _judge(self, peer: PeerId, theirs: Hello, host: str) -> HandshakeVerdict:
        if self._is_refused(peer):
            return HandshakeVerdict.BANNED
        session = self._sessions.get(peer)
        if self._decides_for(peer):
            if peer in self._establishing:
                return HandshakeVerdict.DUPLICATE
            if session and session.is_live and session.incarnation == theirs.incarnation:
                return HandshakeVerdict.DUPLICATE
        if session is None:
            try:
                self._places.who_leaves_for(peer, theirs.role, network_of(host))
            except NoPlace:
                return HandshakeVerdict.FULL
        return HandshakeVerdict.ACCEPT

    def _is_refused(self, peer: PeerId) -> bool:
        """Whether it has earned a ban, or our operator denies it."""
        return peer in self._denied or self._reputation.is_banned(peer)

    def _burst_of(self, peer: PeerId, host: str) -> float:
        """How much of a full burst a new session's peer may send at once."""
        if self._book.is_protected(peer):
            return 1.0
        return self._budgets.take_burst(network_of(host))

    def _make_place(self, peer: PeerId, role: ObservedRole, host: str) -> None:
        """:raises PeerError: when others have taken all places meanwhile."""
        try:
            leaves = self._places.take(peer, role, network_of(host))
        except NoPlace:
            raise PeerError("all places were taken meanwhile") from None
        if leaves is not None:
            self._drop(leaves, "its place went to another peer")

    def _is_live(self, peer: PeerId) -> bool:
        session = self._sessions.get(peer)
        return session is not None and session.is_live

    def _drop(self, peer: PeerId, why: str) -> None:
        session = self._sessions.get(peer)
        if session is not None:
            session.abort(why)

    # Peer exchange.

    def _known_addresses(self, asking: PeerId) -> list[PeerAddress]:
        return self._book.addresses_of(peer for peer in self.connected() if peer != asking)

    def _learn(self, host: str, teller: PeerId, addresses: list[PeerAddress]) -> None:
        """Note addresses that a peer told. One on another machine knows nothing about ours."""
        local = is_loopback(host)
        heard = (address for address in addresses if local or not address.is_loopback)
        self._book.learn(heard, teller)

    def _declare(self, name: str) -> None:
        if self._running:
            raise RuntimeError(f"protocol {name} was declared after the network was started")
        if name in self._protocols.notifications or name in self._protocols.requests:
            raise ValueError(f"protocol {name} was declared twice")
