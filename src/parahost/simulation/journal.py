"""The trace of a run: everything that happened, in order, and the digest of it all."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from hashlib import blake2b
from struct import Struct
from typing import Any, TextIO

import trio

from parahost.primitives.values import dataclass

WORLD = "world"
"""Who records what happens to nodes rather than in them: crashes, cuts, connections."""


@dataclass(frozen=True, slots=True)
class TraceEvent:
    """Something that happened. ``at`` is virtual time in seconds since the run began, ``node`` the
    name of the node that recorded it; event and fields are those of ``ports.Journal``."""

    at: float
    node: str
    event: str
    fields: dict[str, object]

    def to_json(self) -> str:
        """One line of a trace file; bytes are written in hex behind ``0x``."""
        line: dict[str, Any] = {"at": round(self.at, 6), "node": self.node, "event": self.event}
        for name, value in self.fields.items():
            line[name] = "0x" + value.hex() if isinstance(value, bytes) else value
        return json.dumps(line, separators=(",", ":"), default=str)


@dataclass(slots=True)
class Traffic:
    """What one protocol has sent."""

    messages: int = 0
    bytes: int = 0


_TIME = Struct("<d")
_SUBSYSTEMS_SPEAK = ("validation", "collation")


def _spoken(protocol: str, payload: bytes) -> str:
    """The protocol within a peer set's, by its four letters, of a message that begins with 0."""
    if protocol not in _SUBSYSTEMS_SPEAK:
        return protocol
    return f"{protocol}/{payload[1:5].decode('ascii', 'replace')}"


Watcher = Callable[[TraceEvent], None]


class Trace:
    """Takes the events of all nodes, and the messages between them.

    The digest is over all of it, so two runs with the same digest were the same run, as far as
    anybody can see from outside the nodes.
    """

    def __init__(self, file: TextIO | None = None) -> None:
        """``file`` gets every event as a line of JSON."""
        self._file = file
        self._hash = blake2b(digest_size=32)
        self._watchers: list[Watcher] = []
        self._closed = False
        self.traffic: dict[str, Traffic] = {}
        """By protocol."""
        self.now: Callable[[], float] = trio.current_time
        """Virtual time, in seconds."""

    def watch(self, watcher: Watcher) -> None:
        """Call it with each event from now on."""
        self._watchers.append(watcher)

    def close(self) -> None:
        """Take nothing more: what nodes do when they are stopped is not part of the run."""
        self._closed = True

    def record(self, node: str, event: str, fields: dict[str, object]) -> None:
        if self._closed:
            return
        at = self.now()
        self._hash.update(f"{at!r} {node} {event} {fields!r}\n".encode())
        happened = TraceEvent(at, node, event, fields)
        if self._file is not None:
            self._file.write(happened.to_json() + "\n")
        for watcher in self._watchers:
            watcher(happened)

    def message(self, sender: str, receivers: Sequence[str], protocol: str, payload: bytes) -> None:
        """Bytes leave one node for others."""
        if self._closed:
            return
        at = self.now()
        name = protocol if payload[:1] != b"\0" else _spoken(protocol, payload)
        traffic = self.traffic.get(name)
        if traffic is None:
            traffic = self.traffic[name] = Traffic()
        traffic.messages += len(receivers)
        traffic.bytes += len(receivers) * len(payload)
        way = f"{sender} {protocol} {' '.join(receivers)} "
        self._hash.update(_TIME.pack(at) + way.encode() + payload)
        if self._file is not None:
            for receiver in receivers:
                fields: dict[str, object] = {
                    "peer": receiver,
                    "protocol": protocol,
                    "bytes": len(payload),
                }
                self._file.write(TraceEvent(at, sender, "network.sent", fields).to_json() + "\n")

    def digest(self) -> str:
        """Of all until now, in hex."""
        return self._hash.hexdigest()


class NodeJournal:
    """``ports.Journal`` of one node."""

    def __init__(self, name: str, trace: Trace) -> None:
        self._name = name
        self._trace = trace

    def record(self, event: str, **fields: object) -> None:
        self._trace.record(self._name, event, fields)
