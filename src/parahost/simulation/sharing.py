"""What the nodes of one process need not compute each for itself.

Pure results only: the verdict on a signature, what bytes mean, a block's execution on its parent's
state, what the runtime answers, the run of a validation function. Each is computed by the same code
as in a process of its own, once. Without sharing every node computes everything, and the run is the
same to the last byte.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

from parahost.chain.blocks import Execute
from parahost.crypto.verifier import DirectVerifier
from parahost.node.utility.runtime_api import ask_state
from parahost.ports import ValidationHost, Verifier
from parahost.primitives.basic import Hash
from parahost.primitives.header import Block, Extrinsic
from parahost.primitives.memoize import remember_results
from parahost.runtime.executive import Executed
from parahost.runtime.storage import State
from parahost.simulation.verifier import SharedVerifier
from parahost.validation.inprocess import InProcessHost

BlockBody = tuple[Extrinsic, ...]

MAX_EXECUTIONS = 512
MAX_ANSWERS = 1024
"""A few for each block: its leaf, which knows the rest, and what is asked of older blocks."""


class Sharing:
    """Results that nodes share, or not."""

    def __init__(self, enabled: bool = True) -> None:
        self.enabled = enabled
        remember_results(enabled)
        self._verifier = SharedVerifier(DirectVerifier())
        self._host = InProcessHost()
        self._executed: OrderedDict[tuple[Hash, Hash, BlockBody], Executed] = OrderedDict()
        self._answers: OrderedDict[Hashable, Any] = OrderedDict()

    def verifier(self) -> Verifier:
        return self._verifier if self.enabled else DirectVerifier()

    def validation_host(self) -> ValidationHost:
        return self._host if self.enabled else InProcessHost()

    def execute(self, execute: Execute) -> Execute:
        """A node's block execution, shared. A block that is refused is refused anew each time: so
        is another body under the same header."""
        if not self.enabled:
            return execute

        def shared(parent: State, block: Block) -> Executed:
            key = (parent.root, block.header.hash(), block.extrinsics)
            executed = self._executed.get(key)
            if executed is None:
                executed = self._executed[key] = execute(parent, block)
                if len(self._executed) > MAX_EXECUTIONS:
                    self._executed.popitem(last=False)
            return executed

        return shared

    def ask(self, function: Callable[..., Any], state: State, args: tuple[Any, ...]) -> Any:
        """See ``node.utility.runtime_api.Ask``."""
        if not self.enabled:
            return ask_state(function, state, args)
        key = (state.root, function, args)
        if key not in self._answers:
            self._answers[key] = ask_state(function, state, args)
            if len(self._answers) > MAX_ANSWERS:
                self._answers.popitem(last=False)
        return self._answers[key]
