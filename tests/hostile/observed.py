"""A devnet of processes under observation: what its journals tell, and what its processes hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parahost.primitives.addresses import PeerAddress, parse_address
from parahost.primitives.basic import H256
from parahost.process.run_node import read_chain_spec
from parahost.testing import RunningDevnet, devnet
from tests.hostile.__main__ import BEGINS
from tests.hostile.verdicts import Phase

SLOT_S = 1.0
VALIDATORS = tuple(f"validator-{number}" for number in range(1, 5))
PARA = 2000
_MEMORY_PEAK = "VmHWM:"
_FORGET_PEAK = "5"


class ObservedDevnet:
    """Four validators and one para."""

    def __init__(self, network: RunningDevnet) -> None:
        self._network = network
        for name in network.nodes:
            network.wait_for_finality(2, node=name)
        self._addresses = {name: self._address(name) for name in network.nodes}
        self.pids = network.pids()

    @property
    def genesis(self) -> H256:
        return read_chain_spec(self._network.base / "chain-spec.json").genesis_hash()

    @property
    def addresses(self) -> list[PeerAddress]:
        """Of the validators."""
        return [self._addresses[name] for name in VALIDATORS]

    def phase(self, slots: int, attacks: Sequence[str] = ()) -> Phase:
        """Let so many slots pass, calm ones or with attacks, and tell how the chain fared."""
        network, seconds = self._network, slots * SLOT_S
        with self._attackers(attacks, seconds) if attacks else nullcontext() as attackers:
            for pid in self.pids.values():
                Path(f"/proc/{pid}/clear_refs").write_text(_FORGET_PEAK)
            heard = {name: len(network.lines(name)) for name in network.nodes}
            begun, best, height = time.monotonic(), self._best, network.height(PARA)
            before = _Ticks.now(network.command.process.pid)
            tallies: dict[str, Any] = {}
            if attackers is None:
                time.sleep(seconds)
            else:
                tallies = _outcome(attackers, seconds)
        ticks = _Ticks.now(network.command.process.pid).since(before)
        return Phase(
            slots=(time.monotonic() - begun) / SLOT_S,
            blocks=self._best - best,
            parablocks=network.height(PARA) - height,
            unfinal=self._best - min(network.final(name) for name in VALIDATORS),
            peak_mb=max(_peak_mb(pid) for pid in self.pids.values()),
            idle=ticks.idle / ticks.total,
            foreign=max(0, ticks.total - ticks.idle - ticks.ours) / ticks.total,
            troubles=tuple(self._troubles(heard)),
            tallies=tallies,
        )

    @property
    def _best(self) -> int:
        """What all validators have."""
        return min(self._network.best(name) for name in VALIDATORS)

    def _address(self, name: str) -> PeerAddress:
        (listening,) = self._network.lines(name, "node.listening")
        return parse_address(listening.fields["address"])

    @contextmanager
    def _attackers(self, attacks: Sequence[str], seconds: float) -> Iterator[subprocess.Popen[str]]:
        """They begin when the block does: a busy machine takes long to start them."""
        nodes = [word for address in self.addresses for word in ("--node", str(address))]
        argv = ["--genesis", self.genesis.hex(), *nodes, "--seconds", str(seconds), *attacks]
        with subprocess.Popen(
            [sys.executable, "-m", "tests.hostile", *argv],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as attackers:
            try:
                assert attackers.stdout is not None and attackers.stderr is not None
                if attackers.stdout.readline().strip() != BEGINS:
                    raise AssertionError(attackers.stderr.read())
                yield attackers
            finally:
                attackers.kill()

    def _troubles(self, heard: Mapping[str, int]) -> Iterator[str]:
        """What nodes have told since then, after so many lines, that must not be."""
        honest = [str(address.peer) for address in self._addresses.values()]
        now = self._network.pids()
        for name, pid in self.pids.items():
            if now.get(name) != pid:
                yield f"{name} was started again"
        for name, count in heard.items():
            for line in self._network.lines(name)[count:]:
                match line.event:
                    case "node.failed":
                        yield f"{name} failed: {line.fields}"
                    case "peer.disconnected" | "peer.banned" if line.fields["peer"] in honest:
                        yield f"{name} says: {line}"
                    case "log.error":
                        yield f"{name} says: {line.fields.get('text', '')}"


@contextmanager
def observed_devnet() -> Iterator[ObservedDevnet]:
    """It ends with the block, and all that it started."""
    with devnet(slot_s=SLOT_S) as network:
        yield ObservedDevnet(network)


def _outcome(attackers: subprocess.Popen[str], seconds: float) -> dict[str, Any]:
    printed, errors = attackers.communicate(timeout=seconds + 60)
    assert attackers.returncode == 0, errors
    tallies: dict[str, Any] = json.loads(printed)
    return tallies


@dataclass(frozen=True)
class _Ticks:
    """Of the machine's processors, all together: how many there were, how many of them nobody used,
    and how many a devnet used with all that it started, and the attackers that have ended."""

    total: int
    idle: int
    ours: int

    @classmethod
    def now(cls, devnet: int) -> _Ticks:
        """Since the machine runs; ``devnet`` is the process that started all others."""
        ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
        attackers = os.times()
        seconds = attackers.children_user + attackers.children_system
        ours = _used_by(devnet) + round(seconds * os.sysconf("SC_CLK_TCK"))
        return cls(sum(ticks), ticks[3] + ticks[4], ours)

    def since(self, before: _Ticks) -> _Ticks:
        return _Ticks(
            max(self.total - before.total, 1), self.idle - before.idle, self.ours - before.ours
        )


def _used_by(ancestor: int) -> int:
    """Ticks of a process and all that descend from it, the ended ones too."""
    parents: dict[int, int] = {}
    used: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            fields = stat.read_text().rpartition(")")[2].split()
            pid = int(stat.parent.name)
            parents[pid], used[pid] = int(fields[1]), sum(map(int, fields[11:15]))
    family, found = {ancestor}, 0
    while len(family) > found:
        found = len(family)
        family |= {pid for pid, parent in parents.items() if parent in family}
    return sum(used.get(pid, 0) for pid in family)


def _peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    (peak,) = (line for line in status if line.startswith(_MEMORY_PEAK))
    return int(peak.split()[1]) / 1024
