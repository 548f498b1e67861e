"""A Runtime API as clients know it: functions of a block's state, asked by name, in SCALE.

What a function takes and gives is what its annotations say; its docstring is its documentation.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from parahost.primitives.basic import U32
from parahost.primitives.scale import ScaleDecodeError, codec_of, decode, encode
from parahost.primitives.values import dataclass
from parahost.runtime.errors import MalformedExtrinsic
from parahost.runtime.storage import State


class RefusedStateCall(Exception):
    """The runtime cannot be asked this."""


class UnknownApiFunction(RefusedStateCall):
    """No Runtime API has a function of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Exported method {name} is not found")
        self.name = name


class BadApiArguments(RefusedStateCall):
    """The bytes are not what the function takes; ``why`` says where they go wrong."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"bad arguments of {name}: {why}")
        self.name = name
        self.why = why


class NeedsHost(RefusedStateCall):
    """The function does something to the node, which the caller may not have done."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} changes the node's key store, which is not for every caller")
        self.name = name


class KeyNotGenerated(RefusedStateCall):
    """The node's key store has not taken in a new key; says why."""


class RuntimeHost(Protocol):
    """The node, for functions that reach beyond a state."""

    def generate_key(self, key_type: bytes, seed: bytes | None) -> bytes:
        """The public key of a new secret in the node's key store, of a four-letter type.

        :raises KeyNotGenerated: when the store does not take it in.
        """
        ...


@dataclass(frozen=True, slots=True)
class ApiMethod:
    """One function. ``inputs``: what it takes beside the state, by name, each an annotation with a
    SCALE form; ``output``: what it gives. ``needs_host``: in place of the state it takes the
    node."""

    name: str
    function: Callable[..., Any]
    needs_host: bool
    inputs: tuple[tuple[str, Any], ...]
    output: Any
    documentation: str

    @classmethod
    def of(cls, name: str, function: Callable[..., Any]) -> ApiMethod:
        """:raises ScaleTypeError: when it takes or gives what has no SCALE form."""
        hints = typing.get_type_hints(function, include_extras=True)
        subject, *parameters = inspect.signature(function).parameters
        needs_host = hints[subject] is RuntimeHost
        inputs = tuple((parameter, hints[parameter]) for parameter in parameters)
        for type_ in (*dict(inputs).values(), hints["return"]):
            codec_of(type_)
        documentation = inspect.getdoc(function) or ""
        return cls(name, function, needs_host, inputs, hints["return"], documentation)

    def call(self, arguments: bytes, state: State, host: RuntimeHost | None = None) -> bytes:
        """The answer in SCALE, on a state.

        :raises BadApiArguments: when ``arguments`` are not the inputs one after the other.
        :raises NeedsHost: when it needs the host, and there is none for the caller.
        """
        if self.needs_host and host is None:
            raise NeedsHost(self.name)
        try:
            given = decode(self._inputs_type, arguments)
            answer = self.function(host if self.needs_host else state, *given)
        except (ScaleDecodeError, MalformedExtrinsic) as error:
            raise BadApiArguments(self.name, str(error)) from error
        return encode(answer, self.output)

    @property
    def _inputs_type(self) -> Any:
        return tuple[tuple(type_ for _, type_ in self.inputs)]  # type: ignore[misc]


@dataclass(frozen=True, slots=True)
class ApiTrait:
    """Functions that belong together. ``version`` grows when they change."""

    name: str
    version: U32
    methods: tuple[ApiMethod, ...]
    documentation: str

    @classmethod
    def of(
        cls,
        name: str,
        version: U32,
        documentation: str,
        functions: Mapping[str, Callable[..., Any]],
    ) -> ApiTrait:
        """Of functions by the names by which they are asked."""
        methods = tuple(ApiMethod.of(*each) for each in functions.items())
        return cls(name, version, methods, documentation)
