"""A network in one process and in virtual time, steered from outside as a devnet is."""

from __future__ import annotations

import queue
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import trio

from parahost.client import JsonRpc, Unreachable
from parahost.metrics.samples import Samples
from parahost.node.node import Node
from parahost.process.journal import JournalLine, field_text
from parahost.rpc.methods import all_methods
from parahost.rpc.served import ServedNode
from parahost.rpc.service import Service
from parahost.rpc.session import RpcCaller
from parahost.runtime.chain_spec import ChainSpec
from parahost.simulation import Outcome, Scenario, Shape, Simulation
from parahost.simulation.executor import InlineExecutor
from parahost.simulation.journal import WORLD, TraceEvent
from parahost.simulation.nodes import root_cause
from parahost.simulation.task_order import others_draw_meanwhile
from parahost.testing.network import NetworkUnderTest
from parahost.testing.waiting import NetworkEnded

T = TypeVar("T")

WAIT_SLOTS: Final = 60
POLLS_A_SLOT: Final = 8
UNJUDGED: Final = ("bounded_memory",)
"""It reckons with parachains whose blocks are as small as the adder's."""
ALIVE_CHECK_S: Final = 1.0
"""How often to see, in our own time, whether the world still exists."""


class PromiseBroken(AssertionError):
    """What must hold in every network did not. ``verdicts``: what is violated, by checker."""

    def __init__(self, verdicts: dict[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {verdict}" for name, verdict in verdicts.items()))
        self.verdicts = verdicts


class SimulatedNetwork(NetworkUnderTest):
    """A simulated network. Its time passes while somebody waits, and stands still else, so that a
    test sees the same whenever it is run. Made by :func:`simulated`."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        simulation = Simulation(scenario, seed)
        paras = {
            int(spec.id): Path(spec.source).stem
            for spec in (*simulation.plan.parachains, *simulation.plan.parathreads)
        }
        super().__init__(tuple(simulation.nodes), paras)
        self.simulation = simulation
        self.patience_s = WAIT_SLOTS * scenario.shape.slot_s
        self.poll_s = scenario.shape.slot_s / POLLS_A_SLOT
        self._told: list[TraceEvent] = []
        self._services: dict[Node, Service] = {}
        simulation.trace.watch(self._told.append)
        self._stage = _Stage(simulation)

    def finish(self) -> Outcome:
        """End the run, and tell how it went. Nothing can be asked of the network afterwards.

        :raises NetworkEnded: when it has broken down before.
        """
        return self._stage.finish()

    def close(self) -> None:
        """End the run, however it goes."""
        self._stage.close()

    # The world

    def now(self) -> float:
        return self._stage.do(_virtual_time)

    def let_pass(self, seconds: float) -> None:
        self._stage.do(lambda: trio.sleep(seconds))

    def check(self) -> None:
        self._stage.check()

    def where(self) -> str:
        return ""

    def kill(self, node: str) -> None:
        async def kill_and_start() -> None:
            self.simulation.begin_trouble()
            await self.simulation.nodes[node].crash()
            self.simulation.start(node)

        self._known(node)
        self._stage.do(kill_and_start)
        self.wait_until(
            lambda: self.simulation.nodes[node].node, _is_there, f"a new start of {node}"
        )
        self._at_once(self.simulation.end_trouble)

    def pause(self, node: str) -> None:
        self._close(self._known(node), self._others(node))

    def resume(self, node: str) -> None:
        self._open(node, self._others(node))

    def cut(self, one: str, other: str) -> None:
        self._close(self._known(one), [self._known(other)])

    def heal(self, one: str, other: str) -> None:
        self._open(self._known(one), [self._known(other)])

    def _others(self, node: str) -> list[str]:
        return [other for other in self.nodes if other != node]

    def _close(self, node: str, others: Sequence[str]) -> None:
        def close() -> None:
            self.simulation.begin_trouble()
            for other in others:
                self.simulation.switch.conditions.cut(node, other)
                self.simulation.switch.conditions.cut(other, node)

        self._at_once(close)

    def _open(self, node: str, others: Sequence[str]) -> None:
        def open_() -> None:
            for other in others:
                self.simulation.switch.conditions.mend(node, other)
                self.simulation.switch.conditions.mend(other, node)
            self.simulation.switch.links_mended()
            self.simulation.end_trouble()

        self._at_once(open_)

    def _at_once(self, act: Callable[[], None]) -> None:
        async def do() -> None:
            act()

        self._stage.do(do)

    def metrics(self, node: str) -> Samples:
        return self.simulation.nodes[node].meter.samples()

    def _rpc(self, node: str) -> JsonRpc:
        return _NodeClient(self, node)

    def _news(self) -> Sequence[tuple[str, JournalLine]]:
        told = list(self._told)
        del self._told[: len(told)]
        return [(event.node, _line(event)) for event in told if event.node != WORLD]

    async def answer(self, name: str, question: bytes) -> bytes:
        """What a node's JSON-RPC says."""
        node = self.simulation.nodes[name].node
        if node is None:
            raise Unreachable(f"{name} is down")
        if node not in self._services:
            spec = ChainSpec.of("Simulation", "simulation", self.simulation.plan.genesis)
            served = ServedNode(node, spec, InlineExecutor())
            self._services[node] = Service(all_methods(), served, allow_unsafe=True)
        said = await self._services[node].answer(question, RpcCaller())
        return (said or "").encode()

    def ask(self, name: str, question: bytes) -> bytes:
        """The same, from outside."""
        return self._stage.do(lambda: self.answer(name, question))


@contextmanager
def simulated(
    *,
    parachains: Sequence[str] = ("adder",),
    parathreads: Sequence[str] = (),
    validators: int = 4,
    slot_s: float = 6.0,
    seed: int = 1,
    scenario: Scenario | None = None,
) -> Iterator[SimulatedNetwork]:
    """A network in this process, in virtual time. A run is a function of code, scenario, seed and
    what the test does. Collators with sockets of their own have no place in it.

    :param parachains: examples' names or TOML files; each gets a core.
    :param parathreads: likewise; they share one.
    :param slot_s: virtual seconds for each slot.
    :param scenario: a whole scenario in place of all that, with faults and adversaries; its number
        of blocks counts for nothing.
    :raises PromiseBroken: at the end of the block, when a checker of the simulation has seen what
        must never be.
    :raises NetworkEnded: when it breaks down.
    """
    if scenario is None:
        shape = Shape(
            validators=validators,
            parachains=len(parachains),
            parathreads=len(parathreads),
            slot_s=slot_s,
            specs=(*parachains, *parathreads),
        )
        scenario = Scenario(shape=shape, without=UNJUDGED)
    network = SimulatedNetwork(scenario, seed)
    try:
        yield network
        outcome = network.finish()
    finally:
        network.close()
    broken = {name: said for name, said in outcome.verdicts.items() if said != "ok"}
    if broken:
        raise PromiseBroken(broken)


_Work = Callable[[], Awaitable[Any]]


class _Stage:
    """A simulation on a thread of its own, which does what it is told and stands still between."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._wanted: queue.SimpleQueue[tuple[_Work, Future[Any]] | None] = queue.SimpleQueue()
        self._outcome: Future[Outcome] = Future()
        self._begun: Future[None] = Future()
        self._thread = threading.Thread(target=self._play, name="simulation", daemon=True)
        self._thread.start()
        with suppress(NetworkEnded):  # who asks for something is told
            self._answer(self._begun)

    def do(self, work: Callable[[], Awaitable[T]]) -> T:
        """Done in the simulation, as a task of its world.

        :raises NetworkEnded: when there is none any more.
        """
        answer: Future[T] = Future()
        self._wanted.put((work, answer))
        return self._answer(answer)

    def _answer(self, answer: Future[T]) -> T:
        """It comes when the world stands still again."""
        while True:
            try:
                return answer.result(ALIVE_CHECK_S)
            except NotYet:
                self.check()

    def check(self) -> None:
        if not self._outcome.done():
            return
        error = self._outcome.exception()
        why = "" if error is None else f": {root_cause(error)!r}"
        raise NetworkEnded(f"the simulation has ended{why}") from error

    def finish(self) -> Outcome:
        self.close()
        if self._outcome.exception() is not None:
            self.check()
        return self._outcome.result()

    def close(self) -> None:
        self._wanted.put(None)
        self._thread.join()

    def _play(self) -> None:
        try:
            self._outcome.set_result(self._simulation.run_while(self._serve))
        except BaseException as error:
            self._outcome.set_exception(error)

    async def _serve(self) -> None:
        tell: Callable[[], None] = partial(self._begun.set_result, None)
        while True:
            with others_draw_meanwhile():  # before anybody hears that the world stands still
                tell()
                wanted = self._wanted.get()
            if wanted is None:
                return
            work, answer = wanted
            try:
                tell = partial(answer.set_result, await work())
            except Exception as error:
                tell = partial(answer.set_exception, error)


class _NodeClient(JsonRpc):
    """Asks a node of a simulation."""

    def __init__(self, network: SimulatedNetwork, node: str) -> None:
        super().__init__(node)
        self._network = network
        self._node = node

    def pause(self, seconds: float) -> None:
        self._network.let_pass(seconds)

    def _exchange(self, body: bytes) -> bytes:
        return self._network.ask(self._node, body)


async def _virtual_time() -> float:
    return trio.current_time()


def _is_there(node: Node | None) -> bool:
    return node is not None


def _line(event: TraceEvent) -> JournalLine:
    fields = {name: field_text(value) for name, value in event.fields.items()}
    return JournalLine(event.at, event.event, fields)
