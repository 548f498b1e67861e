"""Bounds on what peers may make us hold, do and wait for."""

from __future__ import annotations

from dataclasses import dataclass, field

from parahost.ports.network import REPUTATION_FLOOR
from parahost.primitives.limits import KIB, MIB


@dataclass(frozen=True, slots=True)
class YamuxLimits:
    """Bounds of one connection."""

    max_incoming_streams: int = 128
    ping_interval_s: float = 2.0
    max_silent_pings: int = 5
    """So many intervals without a byte from the peer, and it is gone."""
    write_stall_s: float = 15.0
    """A peer that does not read for so long is gone."""
    frames_per_s: float = 4000.0
    """A peer's further frames are read later. An honest one at 32 MiB/s sends half as many."""
    frames_burst: float = 20_000.0
    frames_burst_of_stranger: float = 500.0
    """The same before the handshake is done."""
    frames_of_a_stream: int = 20
    """What opening a stream counts for: so many frames."""


@dataclass(frozen=True, slots=True)
class NetworkLimits:
    """The defaults suit a validator of a small chain. Units are last in the names."""

    max_full_nodes: int = 24
    max_collators: int = 48
    max_unproven_validators: int = 64
    """Peers that say that they are validators, and of which no signed record says so yet. Those
    whose records do are protected, and count for no share (:mod:`places`)."""
    max_per_network: int = 8
    """Places of peers of one address, IPv6: of one /64, that are not protected. Loopback is this
    machine, where devnets live: its peers have their shares only."""
    handshakes_per_s: float = 2.0
    handshakes_burst: float = 32.0
    """Handshakes with peers of one address, but for loopback; further ones are not begun
    (:mod:`budgets`)."""
    bursts_per_s: float = 0.1
    """Bursts that peers of one address have together, beyond one for each place; but for loopback.
    Sessions that find none begin with a tenth of one."""
    place_grace_s: float = 20.0
    """So long a peer may earn nothing before it makes room for another."""
    max_silent_connections: int = 256
    max_pending_connections: int = 64
    """Connections that are in their handshake (:mod:`arrivals`)."""
    max_pending_per_network: int = 16
    """Of them, those of one address; but for loopback."""
    pending_grace_s: float = 2.0
    """So long a handshake may take before it makes room for another; honest ones need less."""
    silence_timeout_s: float = 3.0
    """So long a connection may say nothing at all."""
    dial_timeout_s: float = 5.0
    handshake_timeout_s: float = 10.0
    redial_min_s: float = 0.5
    redial_max_s: float = 15.0
    peer_exchange_interval_s: float = 30.0
    queue_bytes: int = 32 * 1024 * 1024
    """Notifications that wait for one peer; more disconnects it."""
    queue_messages: int = 8192
    held_bytes_of_stranger: int = 4 * MIB
    """What a connection may make us hold before its handshake is done."""
    held_bytes_of_peer: int = 64 * MIB
    """What one peer may make us hold: queued notifications, half and unread messages, answers."""
    held_bytes: int = 192 * MIB
    """What all together may make us hold; when it is more, who holds most is disconnected."""
    unasked_bytes: int = 12 * MIB
    """What peers that are not protected may, all together, have sent that nobody asked for and
    nobody has taken yet; when it is more, who sent most of it is disconnected. Not below the
    largest notification of any protocol. A node at rest has 80 MB: strangers are to add less than
    a third to it."""
    answer_bytes_of_peer: int = 24 * MIB
    """Answers to one peer that are being made or sent; each counts as the largest until it is
    made. Further requests wait. Not below the largest answer of any protocol."""
    answer_bytes: int = 24 * MIB
    """Answers to peers that are not protected that are being made, in all, each as the largest.
    Further requests wait, in turns. Not below the largest answer of any protocol."""
    unread_bytes_of_stranger: int = 1 * MIB
    """A peer that is not protected, and has more than this unread, gets no further answer yet."""
    unread_answer_bytes: int = 24 * MIB
    """Answers to all such peers that are made and not read. When they are more, the peer is
    disconnected that has left one alone for longest. Not below the largest answer."""
    answer_grace_s: float = 5.0
    """An answer that is made is read within its protocol's timeout and this, or the peer goes. One
    that is not protected takes a part of it in each such time."""
    notification_stall_s: float = 60.0
    """Notifications on their way are taken within this time, and what they take at the rate below,
    or the peer goes. It may be busy itself for a while."""
    message_stall_s: float = 15.0
    message_bytes_per_s: float = 128.0 * KIB
    """A notification that has begun comes whole within the stall time and the time that it takes
    at this rate, or the peer goes."""
    max_requests_in: int = 32
    """Requests of one peer that are answered at a time; more are refused."""
    max_requests_out: int = 32
    """Requests to one peer that are under way at a time; more wait, within their timeout."""
    messages_per_s: float = 2000.0
    messages_burst: float = 10_000.0
    bytes_per_s: float = 32.0 * 1024 * 1024
    bytes_burst: float = 128.0 * 1024 * 1024
    reputation_floor: int = REPUTATION_FLOOR
    reputation_half_life_s: float = 60.0
    ban_s: float = 60.0
    yamux: YamuxLimits = field(default_factory=YamuxLimits)
