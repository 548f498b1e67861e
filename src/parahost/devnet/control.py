"""Doing what a running devnet is asked to do."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Final, TypeVar

import trio

from parahost.devnet.layout import PlannedNode, Seat
from parahost.devnet.observer import Observer
from parahost.devnet.plan import Plan
from parahost.devnet.plan_file import AddedNode
from parahost.devnet.processes import NodeProcesses, NodeState
from parahost.devnet.requests import (
    AddNode,
    BadRequest,
    ChainRefused,
    ControlAnswer,
    ControlRequest,
    CutLink,
    Done,
    HealLink,
    KillNode,
    NetworkStatus,
    NodeStatus,
    NotNow,
    ParaStatus,
    PauseNode,
    RestartNode,
    ResumeNode,
    SkewClock,
    TellStatus,
    UnknownNode,
)
from parahost.node.role import Role
from parahost.parachains import ParachainSpec, load_spec
from parahost.primitives.errors import InputError, OperationalError
from parahost.process.base_path import BasePath
from parahost.process.development import Hardship

if TYPE_CHECKING:
    from parahost.devnet.governing import Governance

T = TypeVar("T")

_PATIENCE_SLOTS: Final = 60
"""So long may the chain take for what somebody waits for."""
_LEAST_PATIENCE_S: Final = 120.0
_LOOK_S: Final = 0.1


class DevnetControl:
    """Does to the nodes of a devnet what is asked.

    :param watch: begins to follow the journal of a node that came later.
    """

    def __init__(
        self,
        plan: Plan,
        processes: NodeProcesses,
        observer: Observer,
        watch: Callable[[PlannedNode], None],
    ) -> None:
        self._plan = plan
        self._processes = processes
        self._observer = observer
        self._watch = watch
        self._nodes = {node.name: node for node in plan.nodes}
        self._skews: dict[str, float] = {}
        self._cut: set[frozenset[str]] = set()
        self._adding = trio.Lock()
        self._governing = trio.Lock()
        self._patience_s = max(_LEAST_PATIENCE_S, _PATIENCE_SLOTS * plan.slot_s)

    def paras(self) -> dict[int, ParachainSpec]:
        """The paras that have collators here."""
        specs = (node.seat.para for node in (*self._nodes.values(), *self._plan.by_hand))
        return {int(spec.id): spec for spec in specs if spec is not None}

    def collators_of(self, para: int) -> list[str]:
        """The names of the nodes that collate for a para, without those that were killed."""
        return [
            name
            for name, node in self._nodes.items()
            if node.seat.para is not None and node.seat.para.id == para and self._is_wanted(name)
        ]

    def _is_wanted(self, name: str) -> bool:
        """Whether it runs, or would if it could."""
        is_down = self._processes.state(name) is NodeState.DOWN
        return not is_down or bool(self._processes.why_down(name))

    async def handle(self, request: ControlRequest) -> ControlAnswer:
        """:raises RequestRefused: when it cannot be done."""
        match request:
            case TellStatus():
                return self._status()
            case PauseNode(name):
                self._in_state(name, NodeState.RUNNING)
                self._processes.pause(name)
                return Done(name, f"{name} stands still")
            case ResumeNode(name):
                self._in_state(name, NodeState.PAUSED)
                self._processes.resume(name)
                return Done(name, f"{name} goes on")
            case KillNode(name):
                self._in_state(name, NodeState.RUNNING, NodeState.PAUSED)
                await self._processes.kill(name)
                return Done(name, f"{name} is killed; restart starts it again")
            case RestartNode(name):
                self._node(name)
                pid = await self._processes.restart(name)
                return Done(name, f"{name} is started again as process {pid}")
            case SkewClock(name, seconds):
                self._node(name)
                self._skews[name] = seconds
                self._tell_node(name)
                how = f"{seconds:+g} s wrong" if seconds else "right"
                return Done(name, f"the clock of {name} is {how}")
            case CutLink(one, other):
                self._cut.add(self._link(one, other))
                return self._relinked(one, other, "is cut")
            case HealLink(one, other):
                link = self._link(one, other)
                if link not in self._cut:
                    raise NotNow(f"the link between {one} and {other} is not cut")
                self._cut.discard(link)
                return self._relinked(one, other, "is healed")
            case AddNode():
                async with self._adding:
                    return await self._add(request)
        raise AssertionError(f"{request} is none of the requests")

    # Nodes

    def _node(self, name: str) -> PlannedNode:
        try:
            return self._nodes[name]
        except KeyError:
            raise UnknownNode(name, list(self._nodes)) from None

    def _in_state(self, name: str, *states: NodeState) -> None:
        """:raises NotNow: when the node is in none of these."""
        self._node(name)
        state = self._processes.state(name)
        if state not in states:
            raise NotNow(f"{name} is {state}, not {' or '.join(states)}")

    # Clocks and links

    def _link(self, one: str, other: str) -> frozenset[str]:
        if self._node(one) is self._node(other):
            raise BadRequest(f"{one}: a link has two ends")
        return frozenset((one, other))

    def _relinked(self, one: str, other: str, how: str) -> Done:
        self._tell_node(one)
        self._tell_node(other)
        return Done(one, f"the link between {one} and {other} {how}")

    def _cut_from(self, name: str) -> tuple[str, ...]:
        """In alphabetical order."""
        return tuple(sorted(other for link in self._cut if name in link for other in link - {name}))

    def _tell_node(self, name: str) -> None:
        """Each end of a cut link refuses the other, so that neither dials."""
        denied = frozenset(self._nodes[other].peer for other in self._cut_from(name))
        hardship = Hardship(self._skews.get(name, 0.0), denied)
        hardship.write(BasePath(self._plan.root / name).development)

    # Adding

    async def _add(self, request: AddNode) -> Done:
        role = Role(request.role)
        para = self._para(request)
        seat = Seat(self._free_name(role, para), role, para)
        try:
            (node,) = self._plan.layout.nodes([seat])
        except OperationalError as error:
            raise NotNow(str(error)) from error
        self._nodes[node.name] = node
        self._note_made(node)
        self._watch(node)
        await self._processes.add(node.command)
        await self._until_started(node.name)
        self._note_added(node)
        text = f"{node.name} is started; it serves JSON-RPC on {node.rpc}"
        if role is Role.VALIDATOR:
            session = await self.govern(lambda chain: chain.admit(node.name), f"{node.name} runs")
            text += f"; it validates from session {session} on"
        if role is Role.COLLATOR:
            await self.govern(lambda chain: chain.fund_collator(node.name), f"{node.name} runs")
        return Done(node.name, text)

    async def _until_started(self, name: str) -> None:
        """:raises NotNow: when it does not start."""
        while not self._observer.nodes[name].started:
            if self._processes.state(name) is NodeState.DOWN:
                raise NotNow(f"{name} cannot run: {self._processes.why_down(name)}")
            await trio.sleep(_LOOK_S)

    def _para(self, request: AddNode) -> ParachainSpec | None:
        """For whom a new collator works."""
        if request.parachain is None:
            return None
        for para, spec in self.paras().items():
            if str(para) == request.parachain:
                return spec
        try:
            return load_spec(request.parachain, request.para)
        except InputError as error:
            raise BadRequest(str(error)) from error

    def _free_name(self, role: Role, para: ParachainSpec | None) -> str:
        stem = role.value if para is None else f"collator-{para.id}"
        taken = {*self._nodes, *(node.name for node in self._plan.by_hand)}
        if para is not None and stem not in taken:
            return stem
        first = 1 if para is None else 2
        return next(name for n in count(first) if (name := f"{stem}-{n}") not in taken)

    def _note_made(self, node: PlannedNode) -> None:
        """So that what it keeps on the base path is known to be a devnet's."""
        self._plan.file.nodes[node.name] = node.command.shell()
        self._plan.file.write(self._plan.root)

    def _note_added(self, node: PlannedNode) -> None:
        """So that it comes again at the next start."""
        para, file = node.seat.para, self._plan.file
        file.added.append(
            AddedNode(node.name, node.seat.role.value)
            if para is None
            else AddedNode(node.name, node.seat.role.value, int(para.id), para.source)
        )
        file.write(self._plan.root)

    async def govern(self, act: Callable[[Governance], T], otherwise: str) -> T:
        """Have the chain of a node that runs do something.

        :param otherwise: what is true when it does not.
        :raises NotNow: when none runs.
        :raises ChainRefused: when it does not do it.
        """
        running = [
            node
            for name, node in self._nodes.items()
            if self._processes.state(name) is NodeState.RUNNING
        ]
        if not running:
            raise NotNow("no node runs that could be asked")
        from parahost.client.chain import CallRefused  # only here: a devnet's start is not to wait
        from parahost.devnet.governing import Governance

        url = running[0].rpc.replace("ws://", "http://")
        try:
            async with self._governing:  # one after the other: all sign with one account
                with trio.fail_after(self._patience_s):
                    return await trio.to_thread.run_sync(
                        lambda: act(Governance(url)),
                        abandon_on_cancel=True,  # type: ignore[call-arg]  # the stubs are older
                    )
        except trio.TooSlowError:
            why = f"the chain has not done its part in {self._patience_s:g} s"
            raise NotNow(f"{otherwise}, but: {why}") from None
        except CallRefused as refusal:
            message = f"{otherwise}, but: {refusal}"
            raise ChainRefused(message, by_chain=True, error=refusal.error) from refusal
        except OperationalError as error:
            raise ChainRefused(f"{otherwise}, but: {error}", by_chain=False) from error

    # Status

    def _status(self) -> NetworkStatus:
        observer = self._observer
        return NetworkStatus(
            str(self._plan.root.resolve()),
            os.getpid(),
            observer.best_number,
            observer.finalized_number,
            tuple(map(self._node_status, self._nodes.values())),
            tuple(
                ParaStatus(
                    para,
                    picture.name,
                    len(picture.blocks),
                    picture.finalized,
                    None if picture.last is None else picture.last.head,
                )
                for para, picture in observer.paras.items()
            ),
        )

    def _node_status(self, node: PlannedNode) -> NodeStatus:
        usage, picture = self._processes.usage()[node.name], self._observer.nodes[node.name]
        return NodeStatus(
            node.name,
            node.seat.role.value,
            self._processes.state(node.name),
            usage.pid,
            usage.restarts,
            picture.best,
            picture.final,
            node.rpc,
            self._skews.get(node.name, 0.0),
            self._cut_from(node.name),
        )
