"""The words of the test kit, which are the same for real processes and in a simulation."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from parahost.client import ChainClient, NamedEvent
from parahost.client.rpc import JsonRpc
from parahost.devnet.observer import Observer
from parahost.metrics.samples import Samples
from parahost.process.journal import JournalLine
from parahost.testing.events import EventTail
from parahost.testing.waiting import wait

T = TypeVar("T")

LINES_SHOWN = 5


class NetworkUnderTest(ABC):
    """A running network. Its nodes go by the names of a devnet: ``validator-1`` and so on, and
    ``collator-2000`` for the collator of para 2000.

    Each wait has a timeout in seconds of the network's own time; without one it is
    :attr:`patience_s`. Its failure says what was seen last.
    """

    patience_s: float
    """How long to wait for what is not given a time of its own."""
    poll_s: float
    """How long to wait from one look to the next."""

    def __init__(self, nodes: Sequence[str], paras: Mapping[int, str]) -> None:
        self.nodes = tuple(nodes)
        self.paras = tuple(paras)
        self._lines: dict[str, list[JournalLine]] = {node: [] for node in nodes}
        self._observer = Observer(dict(paras), nodes, started_at=0.0)
        self._chains: dict[str, ChainClient] = {}
        self._events: dict[tuple[str, bool], EventTail] = {}

    # What a world is

    @abstractmethod
    def now(self) -> float:
        """The network's time, in seconds."""

    @abstractmethod
    def let_pass(self, seconds: float) -> None:
        """Let so much of the network's time pass."""

    @abstractmethod
    def check(self) -> None:
        """:raises NetworkEnded: when nothing will happen any more."""

    @abstractmethod
    def where(self) -> str:
        """Where to read more about what happened, for people."""

    @abstractmethod
    def kill(self, node: str) -> None:
        """End a node as a power failure does. It is started again at once, on what its disk has;
        this returns when it has."""

    @abstractmethod
    def pause(self, node: str) -> None:
        """Let a node stand still until it is resumed: it says nothing, and hears nothing."""

    @abstractmethod
    def resume(self, node: str) -> None:
        """Let it go on."""

    @abstractmethod
    def cut(self, one: str, other: str) -> None:
        """Let two nodes have no connection with each other until it is healed."""

    @abstractmethod
    def heal(self, one: str, other: str) -> None:
        """Let them have one again."""

    @abstractmethod
    def metrics(self, node: str) -> Samples:
        """All numbers that a node tells of itself; ``docs/OPERATIONS.md`` has their list."""

    @abstractmethod
    def _rpc(self, node: str) -> JsonRpc:
        """What asks that node."""

    @abstractmethod
    def _news(self) -> Sequence[tuple[str, JournalLine]]:
        """What nodes have written to their journals since the last call, in the order of time."""

    # What is there now

    def chain(self, node: str | None = None) -> ChainClient:
        """A node's chain, to read storage and events by name and to make calls; the first node's
        where none is named."""
        node = self._known(node)
        if node not in self._chains:
            self._chains[node] = ChainClient(self._rpc(node))
        return self._chains[node]

    def height(self, para: int, *, finalized: bool = False) -> int:
        """How many blocks of the para are included, or even final, since the network's start."""
        picture = self._picture().paras[para]
        return picture.finalized if finalized else len(picture.blocks)

    def best(self, node: str | None = None) -> int:
        """The number of a node's best block."""
        return self._picture().nodes[self._known(node)].best

    def final(self, node: str | None = None) -> int:
        """The number of the last block that a node holds for final."""
        return self._picture().nodes[self._known(node)].final

    def lines(self, node: str, event: str | None = None) -> list[JournalLine]:
        """What a node has written to its journal since the network was started, of one event or
        of all; ``docs/OPERATIONS.md`` has their list."""
        self._hear()
        lines = self._lines[self._known(node)]
        return [line for line in lines if event in (None, line.event)]

    # Waiting

    def wait_until(
        self,
        probe: Callable[[], T],
        holds: Callable[[T], bool] = bool,
        what: str = "what the test looks for",
        *,
        timeout_s: float | None = None,
    ) -> T:
        """Look with ``probe`` until what it gives ``holds``, which is the result.

        :raises WaitedInVain: when it does not in time.
        :raises NetworkEnded: when it cannot any more.
        """
        return wait(self, probe, holds, what, self.patience_s if timeout_s is None else timeout_s)

    def wait_for_height(
        self, para: int, at_least: int, *, finalized: bool = False, timeout_s: float | None = None
    ) -> int:
        """Wait until so many blocks of the para are included, or even final; gives how many."""
        state = "final" if finalized else "included"
        return self.wait_until(
            lambda: self.height(para, finalized=finalized),
            lambda height: height >= at_least,
            f"{at_least} {state} blocks of para {para}",
            timeout_s=timeout_s,
        )

    def wait_for_block(
        self, at_least: int, *, node: str | None = None, timeout_s: float | None = None
    ) -> int:
        """Wait until a node's best block has at least that number, which this gives."""
        return self.wait_until(
            lambda: self.best(node),
            lambda number: number >= at_least,
            f"block {at_least} at {self._known(node)}",
            timeout_s=timeout_s,
        )

    def wait_for_finality(
        self, at_least: int, *, node: str | None = None, timeout_s: float | None = None
    ) -> int:
        """Wait until a node holds a block of at least that number for final; gives its number."""
        return self.wait_until(
            lambda: self.final(node),
            lambda number: number >= at_least,
            f"the finality of block {at_least} at {self._known(node)}",
            timeout_s=timeout_s,
        )

    def wait_for_event(
        self,
        name: str,
        where: Callable[[Any], bool] = lambda fields: True,
        *,
        node: str | None = None,
        finalized: bool = False,
        timeout_s: float | None = None,
    ) -> NamedEvent:
        """Wait until the relay chain has had an event, as ``ParaInclusion.CandidateIncluded``, with
        ``where`` true of its fields: on the node's best chain, or in its final blocks. It may have
        come before one waits.
        """
        node = self._known(node)
        reader = self._events.setdefault(
            (node, finalized), EventTail(self.chain(node), finalized=finalized)
        )

        def is_it(event: NamedEvent) -> bool:
            return event.name == name and where(event.fields)

        self.wait_until(
            reader.read,
            lambda _: any(map(is_it, reader.events())),
            f"the event {name} at {node}",
            timeout_s=timeout_s,
        )
        return next(filter(is_it, reader.events()))

    def wait_for_metric(
        self,
        node: str,
        name: str,
        holds: Callable[[float], bool] = bool,
        *,
        timeout_s: float | None = None,
        **labels: str,
    ) -> float:
        """Wait until a metric of a node ``holds``; gives its value: the sum of those that have the
        labels, and 0 while there are none."""
        self._known(node)
        of = "".join(f" {label}={value}" for label, value in labels.items())
        return self.wait_until(
            lambda: self.metrics(node).total(name, **labels),
            holds,
            f"the metric {name}{of} of {node}",
            timeout_s=timeout_s,
        )

    def wait_for_log(
        self, node: str, pattern: str, *, at_least: int = 1, timeout_s: float | None = None
    ) -> list[JournalLine]:
        """Wait until a node's journal has so many lines, since the network was started, in which
        the regular expression is found; gives all of them. A line reads
        ``backing.seconded candidate=0x1b2c3d4e para=2000``."""
        expression = re.compile(pattern)
        found: list[JournalLine] = []
        read = 0

        def look() -> str:
            nonlocal read
            lines = self.lines(node)
            found.extend(line for line in lines[read:] if expression.search(str(line)))
            read = len(lines)
            return f"{len(found)} of them; at the end: " + "; ".join(map(str, lines[-LINES_SHOWN:]))

        self.wait_until(
            look,
            lambda _: len(found) >= at_least,
            f"{at_least} lines like {pattern!r} of {node}",
            timeout_s=timeout_s,
        )
        return found

    # What comes in

    def _known(self, node: str | None) -> str:
        if node is None:
            return self.nodes[0]
        if node not in self.nodes:
            raise ValueError(f"there is no node {node}; there are {', '.join(self.nodes)}")
        return node

    def _picture(self) -> Observer:
        self._hear()
        return self._observer

    def _hear(self) -> None:
        for node, line in self._news():
            self._lines[node].append(line)
            self._observer.hear(node, line)
