"""Watches a run: takes down blocks and finality, and lets the checkers hear of everything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from parahost.primitives.basic import Hash
from parahost.simulation.checkers import Checker, SignatureMade
from parahost.simulation.journal import TraceEvent
from parahost.simulation.nodes import SimulatedNode
from parahost.simulation.record import ChainRecord, RecordedBlock

_HOOKS = ("on_block", "on_import", "on_final", "on_signature", "at_end")


class CheckerBroke(BaseException):
    """A checker has a bug. No node is to blame for it, so no node's handling of errors sees it."""


class Observatory:
    """Listens to the trace. Only what honest nodes say counts."""

    def __init__(
        self,
        record: ChainRecord,
        nodes: Mapping[str, SimulatedNode],
        is_honest: Callable[[str], bool],
        checkers: Sequence[Checker],
    ) -> None:
        self._record = record
        self._nodes = nodes
        self._is_honest = is_honest
        self._listening = {
            hook: [each for each in checkers if getattr(type(each), hook) != getattr(Checker, hook)]
            for hook in _HOOKS
        }
        self._waiting_for: dict[str, list[Checker]] = {}
        for checker in checkers:
            for name in checker.events:
                self._waiting_for.setdefault(name, []).append(checker)

    def hear(self, event: TraceEvent) -> None:
        """An event of the trace."""
        if self._is_honest(event.node):
            if event.event == "chain.imported":
                self._imported(event)
            elif event.event == "chain.finalized":
                self._finalized(event)
        if event.event in self._waiting_for:
            self._tell_each(self._waiting_for[event.event], "on_event", event)

    def hear_signature(self, signature: SignatureMade) -> None:
        if self._is_honest(signature.node):
            self._tell("on_signature", signature)

    def end(self) -> None:
        """The run is over."""
        self._tell("at_end")

    def _tell(self, hook: str, *told: object) -> None:
        self._tell_each(self._listening[hook], hook, *told)

    def _tell_each(self, listening: Sequence[Checker], hook: str, *told: object) -> None:
        """Let each of the checkers hear that has not found a violation yet."""
        for checker in listening:
            if checker.is_ok:
                try:
                    getattr(checker, hook)(*told)
                except Exception as bug:
                    raise CheckerBroke(checker.name) from bug

    def _imported(self, event: TraceEvent) -> None:
        hash = _hash_in(event)
        block = self._record.blocks.get(hash)
        if block is None:
            block = self._read(event.node, hash, event.at)
            self._record.add(block)
            self._tell("on_block", block)
        self._tell("on_import", event.node, block)

    def _finalized(self, event: TraceEvent) -> None:
        block = self._record.blocks[_hash_in(event)]
        self._tell("on_final", event.node, block)
        self._record.final[event.node] = block

    def _read(self, name: str, hash: Hash, at: float) -> RecordedBlock:
        node = self._nodes[name].node
        assert node is not None, "who imports a block is up"
        header, body = node.chain.header(hash), node.chain.body(hash)
        assert header is not None and body is not None, "it has just been imported"
        parent = self._record.blocks[header.parent_hash]
        return RecordedBlock(hash, header, body, node.chain.state(hash), parent, at)


def _hash_in(event: TraceEvent) -> Hash:
    hash = event.fields["block"]
    assert isinstance(hash, bytes)
    return Hash(hash)  # type: ignore[arg-type]
