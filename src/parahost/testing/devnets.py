"""A devnet of processes, to test in."""

from __future__ import annotations

import os
import re
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from parahost.client import RpcClient
from parahost.client.metrics import read_metrics
from parahost.client.rpc import JsonRpc
from parahost.devnet.control_socket import ask
from parahost.devnet.requests import CutLink, HealLink, PauseNode, ResumeNode
from parahost.devnet.tail import JournalTail
from parahost.metrics.samples import Samples
from parahost.parachains import load_specs
from parahost.primitives.errors import OperationalError
from parahost.process.journal import JournalLine
from parahost.testing.command import Command, processes_with
from parahost.testing.network import NetworkUnderTest
from parahost.testing.waiting import PATIENCE_S, NetworkEnded, RealTime, WaitedInVain, eventually

OUTPUT: Final = "devnet.out"
LOGS: Final = ("*.log", OUTPUT)
LAST_WORDS: Final = 10
SERVES: Final = "rpc.listening"
TELLS_METRICS: Final = "prometheus.listening"
"""What a node's journal has when it has started: the last thing that it does."""


StartCommand = Callable[[Sequence[str], Path], Command]


class NodeSilent(OperationalError):
    """A node has not said yet where it answers."""


class RunningDevnet(RealTime, NetworkUnderTest):
    """A devnet that runs. Made by :func:`devnet`; who makes one by hand closes it."""

    def __init__(
        self,
        *,
        parachains: Sequence[str] = ("adder",),
        parathreads: Sequence[str] = (),
        validators: int = 4,
        slot_s: float = 1.0,
        base_path: Path | None = None,
        arguments: Sequence[str] = (),
        start: StartCommand = Command,
    ) -> None:
        """See :func:`devnet`. The network is being started: nothing is waited for."""
        self.patience_s = PATIENCE_S
        specs = load_specs([*parachains, *parathreads])
        paras = {int(spec.id): Path(spec.source).stem for spec in specs}
        names = [f"validator-{number}" for number in range(1, validators + 1)]
        super().__init__([*names, *(f"collator-{para}" for para in paras)], paras)
        self._is_ours = base_path is None
        self.base = base_path or Path(tempfile.mkdtemp(prefix="parahost-devnet-"))
        self._tails = {name: JournalTail(self.base / name / "node.log") for name in self.nodes}
        self.base.mkdir(parents=True, exist_ok=True)
        argv = ["devnet", "--plain", "--validators", str(validators), "--slot", f"{slot_s:g}"]
        for spec in parachains:
            argv += ["--parachain", spec]
        for spec in parathreads:
            argv += ["--parathread", spec]
        self.command = start([*argv, "--base-path", str(self.base), *arguments], self.base / OUTPUT)

    def wait_for_start(self, timeout_s: float | None = None) -> None:
        """Wait until all nodes work, serve JSON-RPC and tell their metrics."""
        self.wait_until(
            lambda: {node: len(self.lines(node, TELLS_METRICS)) for node in self.nodes},
            lambda starts: all(starts.values()),
            "the start of all nodes",
            timeout_s=timeout_s,
        )

    def close(self, *, keep_logs: bool = False) -> None:
        """End all processes. The base path goes too, if it was made here; ``keep_logs`` leaves what
        the nodes and the devnet have written to logs."""
        try:
            self.command.end()
        finally:
            self._end_stragglers()
            if self._is_ours:
                _remove(self.base, but_logs=keep_logs)

    # Nodes

    def url(self, node: str) -> str:
        """Where a node serves JSON-RPC."""
        return f"ws://127.0.0.1:{self._port(node, SERVES)}"

    def metrics(self, node: str) -> Samples:
        return read_metrics(f"http://127.0.0.1:{self._port(node, TELLS_METRICS)}/metrics")

    def pids(self) -> Mapping[str, int]:
        """The processes of the nodes that run."""
        running = self._processes()
        return {
            node: pid
            for node in self.nodes
            for pid, line in running.items()
            if f"--name {node} " in line
        }

    def kill(self, node: str) -> None:
        """With ``kill -9``; the devnet starts it again."""
        starts = len(self.lines(self._known(node), TELLS_METRICS))
        os.kill(self.pids()[node], signal.SIGKILL)
        self.wait_for_log(node, f"^{re.escape(TELLS_METRICS)} ", at_least=starts + 1)

    def pause(self, node: str) -> None:
        ask(self.base, PauseNode(self._known(node)))

    def resume(self, node: str) -> None:
        ask(self.base, ResumeNode(self._known(node)))

    def cut(self, one: str, other: str) -> None:
        ask(self.base, CutLink(self._known(one), self._known(other)))

    def heal(self, one: str, other: str) -> None:
        ask(self.base, HealLink(self._known(one), self._known(other)))

    def _port(self, node: str, event: str) -> str:
        lines = self.lines(node, event)
        if not lines:
            raise NodeSilent(f"{node} has not said yet: {event}")
        return lines[-1].fields["port"]

    # The world

    def check(self) -> None:
        if not self.command.is_running:
            words = self.command.printed().splitlines()[-LAST_WORDS:]
            raise NetworkEnded("the devnet has ended:\n" + "\n".join(words))

    def where(self) -> str:
        return f"logs: {self.base}"

    def _rpc(self, node: str) -> JsonRpc:
        return _NodeClient(self, node)

    def _news(self) -> Sequence[tuple[str, JournalLine]]:
        news = [(node, line) for node, tail in self._tails.items() for line in tail.lines()]
        return sorted(news, key=lambda told: told[1].at)

    def _end_stragglers(self) -> None:
        """The nodes end with the devnet, also when that was killed; this waits for it."""
        try:
            eventually(self._processes, lambda left: not left)
        except WaitedInVain:
            for pid in self._processes():
                with suppress(ProcessLookupError):  # it has ended meanwhile
                    os.kill(pid, signal.SIGKILL)

    def _processes(self) -> dict[int, str]:
        return processes_with(f"--base-path {self.base}/")


class _NodeClient(JsonRpc):
    """Asks a node, also when it was started again: on another port perhaps."""

    def __init__(self, network: RunningDevnet, node: str) -> None:
        super().__init__(node)
        self._network = network
        self._node = node
        self._clients: dict[str, RpcClient] = {}

    def pause(self, seconds: float) -> None:
        self._network.let_pass(seconds)

    def _exchange(self, body: bytes) -> bytes:
        url = self._network.url(self._node)
        if url not in self._clients:
            self._clients[url] = RpcClient(url)
        return self._clients[url]._exchange(body)


@contextmanager
def devnet(
    *,
    parachains: Sequence[str] = ("adder",),
    parathreads: Sequence[str] = (),
    validators: int = 4,
    slot_s: float = 1.0,
    base_path: Path | None = None,
    arguments: Sequence[str] = (),
    start: StartCommand = Command,
) -> Iterator[RunningDevnet]:
    """A devnet of processes, ended with the block and whatever ends it. Any number may run beside
    one another.

    :param parachains: examples' names or TOML files; each gets a core.
    :param parathreads: likewise; they share one.
    :param slot_s: seconds for each slot, and so about for each block.
    :param base_path: where it keeps its files, and goes on when there is one. Without it they are
        in a temporary folder, of which nothing stays but the logs, and those only when the block
        fails; the error then says where.
    :param arguments: more for ``parahost devnet``.
    :param start: what starts it, where it is not ``parahost`` as it is.
    :raises NetworkEnded: when it cannot be started; says why.
    """
    network = RunningDevnet(
        parachains=parachains,
        parathreads=parathreads,
        validators=validators,
        slot_s=slot_s,
        base_path=base_path,
        arguments=arguments,
        start=start,
    )
    try:
        network.wait_for_start()
        yield network
    except BaseException as error:
        network.close(keep_logs=True)
        error.add_note(f"the network's logs are in {network.base}")
        raise
    network.close()


def _remove(base: Path, *, but_logs: bool) -> None:
    if not but_logs:
        shutil.rmtree(base)
        return
    kept = {path for pattern in LOGS for path in base.rglob(pattern)}
    for path in sorted(base.rglob("*"), reverse=True):
        if path in kept:
            continue
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        else:
            path.unlink()
