"""What a developer does to a node: set its clock wrong, cut its links. For development only.

A node takes this only with ``--development-control``, on no chain that is *Live*, and says so. It
reads ``development.json`` on its own base path, now and again, so that who may write there decides,
and a node that is started again is as before::

    {"clock_skew_s": -1.5, "denied_peers": ["12D3KooW..."]}
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import trio

from parahost.ports import Journal
from parahost.primitives.basic import PeerId
from parahost.primitives.errors import InputError
from parahost.process.system import SkewedClock

if TYPE_CHECKING:
    from parahost.runtime.chain_spec import ChainSpec

LOOK_S: Final = 0.25
_MAX_FILE_BYTES: Final = 1024 * 1024
MAX_SKEW_S: Final = 86_400.0
"""So wrong may a clock be set: a day."""


class NotOnLiveChains(InputError):
    """Nobody sets clocks wrong on a chain that others rely on."""


class BadDevelopmentFile(ValueError):
    """What is in the file is not what belongs there."""


class DeniesPeers(Protocol):
    """The network, as far as links are cut in it."""

    def deny(self, peers: Collection[PeerId]) -> None: ...


@dataclass(frozen=True, slots=True)
class Hardship:
    """What is done to one node. ``clock_skew_s``: by how much its clock is ahead, in seconds;
    ``denied_peers``: with whom it has no connections."""

    clock_skew_s: float = 0.0
    denied_peers: frozenset[PeerId] = frozenset()

    @classmethod
    def read(cls, path: Path) -> Hardship:
        """That in a file; none when the file is not there.

        :raises BadDevelopmentFile: when it is not of that form.
        """
        try:
            with path.open("rb") as file:
                found: Any = json.loads(file.read(_MAX_FILE_BYTES))
            return cls._of(found)
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, RecursionError) as error:
            raise BadDevelopmentFile(str(error)) from error

    @classmethod
    def _of(cls, found: Any) -> Hardship:
        if not isinstance(found, dict) or set(found) != {"clock_skew_s", "denied_peers"}:
            raise BadDevelopmentFile("clock_skew_s and denied_peers are expected")
        skew, peers = found["clock_skew_s"], found["denied_peers"]
        if isinstance(skew, bool) or not isinstance(skew, int | float) or not is_a_skew(skew):
            raise BadDevelopmentFile(f"clock_skew_s is not -{MAX_SKEW_S:g} to {MAX_SKEW_S:g}")
        if not isinstance(peers, list) or not all(isinstance(peer, str) for peer in peers):
            raise BadDevelopmentFile("denied_peers is no list of peer ids")
        return cls(float(skew), frozenset(map(PeerId, peers)))

    def write(self, path: Path) -> None:
        """The whole file, readable by its owner, or none of it.

        :raises OSError: when it cannot be written.
        """
        draft = path.with_suffix(".new")
        text = {"clock_skew_s": self.clock_skew_s, "denied_peers": sorted(self.denied_peers)}
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(text, file)
        os.replace(draft, path)


def is_a_skew(seconds: float) -> bool:
    """Whether a clock may be set so wrong."""
    return math.isfinite(seconds) and abs(seconds) <= MAX_SKEW_S


class DevelopmentControl:
    """Does to a node what its file says."""

    def __init__(
        self, path: Path, clock: SkewedClock, network: DeniesPeers, journal: Journal
    ) -> None:
        self._path = path
        self._clock = clock
        self._network = network
        self._journal = journal
        self._present = Hardship()
        self._complaint = ""

    def allow(self, spec: ChainSpec) -> None:
        """Do what the file says now, before the node begins; and say that it is done.

        :raises NotOnLiveChains: when others rely on the chain.
        """
        if spec.chain_type == "Live":
            raise NotOnLiveChains(
                f"--development-control: {spec.name} is a live chain; it is for development only"
            )
        self._journal.record("development.control", file=self._path)
        print(
            f"for development only: {self._path} may set this node's clock wrong and cut its links",
            flush=True,
        )
        self.look()

    async def run(self) -> None:
        """Follow the file until cancelled."""
        while True:
            await trio.sleep(LOOK_S)
            self.look()

    def look(self) -> None:
        """Do what the file says now. What cannot be read changes nothing, and is told once."""
        try:
            wanted = Hardship.read(self._path)
        except BadDevelopmentFile as error:
            if self._complaint != str(error):
                self._complaint = str(error)
                self._journal.record("development.unreadable", reason=self._complaint)
            return
        self._complaint = ""
        if wanted == self._present:
            return
        self._present = wanted
        self._clock.skew_s = wanted.clock_skew_s
        self._network.deny(wanted.denied_peers)
        self._journal.record(
            "development.applied",
            clock_skew_s=wanted.clock_skew_s,
            denied=",".join(sorted(wanted.denied_peers)),
        )
