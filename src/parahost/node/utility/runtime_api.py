"""The Runtime API: what the runtime would tell a child of a block (A115, D19)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

from parahost.node.messages.base import Message
from parahost.node.messages.utility import RuntimeApiRequest
from parahost.node.overseer import Subsystem
from parahost.primitives.basic import Hash
from parahost.runtime.storage import State

CACHED_ANSWERS = 2048
"""Answers kept. A block's answers never change, so only room is a reason to forget one."""
Ask = Callable[[Callable[..., Any], State, tuple[Any, ...]], Any]
"""Gives the answer of a function of the runtime's API, on a state and further arguments."""
LARGE_BYTES = 64 * 1024
"""Longer byte strings (validation code) are not kept: a look-up gives them as fast, and thousands
of them would fill the memory."""


def ask_state(function: Callable[..., Any], state: State, args: tuple[Any, ...]) -> Any:
    """Computes the answer."""
    return function(state, *args)


class RuntimeApi(Subsystem):
    """Runs pure functions on the states of blocks; the same question is computed once."""

    name = "runtime-api"
    receives = (RuntimeApiRequest,)

    def __init__(self, state_of: Callable[[Hash], State | None], ask: Ask = ask_state) -> None:
        self._state_of = state_of
        self._ask = ask
        self._answers: OrderedDict[Hashable, Any] = OrderedDict()

    @property
    def kept_answers(self) -> int:
        """How many answers are remembered."""
        return len(self._answers)

    def on_message(self, message: Message) -> None:
        assert isinstance(message, RuntimeApiRequest)
        if not message.keep:
            self._compute(message)
            return
        key = (message.relay_parent, message.function, message.args)
        if key in self._answers:
            self._answers.move_to_end(key)
            message.reply.answer(self._answers[key])
        elif self._compute(message) and not _is_large(message.reply.value):
            self._answers[key] = message.reply.value
            if len(self._answers) > CACHED_ANSWERS:
                self._answers.popitem(last=False)

    def _compute(self, message: RuntimeApiRequest[Any]) -> bool:
        """Answer from the state, if it is known."""
        state = self._state_of(message.relay_parent)
        if state is None:
            message.reply.drop()
            return False
        message.reply.answer(self._ask(message.function, state, message.args))
        return True


def _is_large(answer: object) -> bool:
    return isinstance(answer, bytes) and len(answer) > LARGE_BYTES
