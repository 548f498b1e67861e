"""What one may ask of a running devnet, and how that reads: a line of JSON each way.

``{"do": "pause", "node": "validator-1"}`` is answered with ``{"ok": {...}}``, or with
``{"error": {"kind": "unknown_node", "message": "..."}}``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from enum import StrEnum
from types import MappingProxyType
from typing import Any, ClassVar, Final

from parahost.primitives.errors import InputError
from parahost.process.development import MAX_SKEW_S, is_a_skew

MAX_CONTROL_BYTES: Final = 64 * 1024
_MAX_TEXT: Final = 4096


class RequestRefused(InputError):
    """What was asked cannot be done; ``kind`` is for programs, the text for people."""

    kind: ClassVar[str] = "refused"


class BadRequest(RequestRefused):
    """It is no request."""

    kind: ClassVar[str] = "bad_request"


class UnknownNode(RequestRefused):
    """The devnet has no such node."""

    kind: ClassVar[str] = "unknown_node"

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(f"there is no node {name}; there are {', '.join(known)}")
        self.name = name


class NotNow(RequestRefused):
    """The node, or the network, is in no state for it."""

    kind: ClassVar[str] = "not_now"


class ChainRefused(RequestRefused):
    """The chain has not done its part: it would not (``by_chain``), or it was not reached.
    ``error`` is a module's name for why, as ``Registrar.UpgradePlanned``."""

    kind: ClassVar[str] = "chain_refused"

    def __init__(self, message: str, *, by_chain: bool, error: str | None = None) -> None:
        super().__init__(message)
        self.by_chain = by_chain
        self.error = error


class ControlBug(RequestRefused):
    """It could be done, were it not for a bug of ours."""

    kind: ClassVar[str] = "internal"


class AddedRole(StrEnum):
    """What may come to a running network."""

    VALIDATOR = "validator"
    FULL = "full"
    COLLATOR = "collator"


@dataclass(frozen=True, slots=True)
class ControlRequest:
    """The least of all requests."""

    def check(self) -> None:
        """:raises BadRequest: when the values make no sense."""


@dataclass(frozen=True, slots=True)
class TellStatus(ControlRequest):
    """How the network and its nodes are."""


@dataclass(frozen=True, slots=True)
class PauseNode(ControlRequest):
    """Let a node stand still (SIGSTOP)."""

    node: str


@dataclass(frozen=True, slots=True)
class ResumeNode(ControlRequest):
    """Let it go on."""

    node: str


@dataclass(frozen=True, slots=True)
class KillNode(ControlRequest):
    """End a node as a crash does (SIGKILL), until it is started again."""

    node: str


@dataclass(frozen=True, slots=True)
class RestartNode(ControlRequest):
    """End a node as an operator does if it runs, and start it."""

    node: str


@dataclass(frozen=True, slots=True)
class AddNode(ControlRequest):
    """Let a node come to the network. A collator's ``parachain`` is the number of a para of the
    devnet, an example's name or a TOML file; ``para`` its number where the text names none."""

    role: str
    parachain: str | None = None
    para: int | None = None

    def check(self) -> None:
        if self.role not in list(AddedRole):
            raise BadRequest(f"{self.role}: it is none of {', '.join(AddedRole)}")
        if (self.role == AddedRole.COLLATOR) != (self.parachain is not None):
            raise BadRequest("a collator, and nothing else, needs a parachain")
        if self.para is not None and (self.parachain is None or not 0 <= self.para < 1 << 32):
            raise BadRequest(f"{self.para}: no number of a collator's para")


@dataclass(frozen=True, slots=True)
class CutLink(ControlRequest):
    """Let two nodes have no connection with each other."""

    one: str
    other: str


@dataclass(frozen=True, slots=True)
class HealLink(ControlRequest):
    """Let them have one again."""

    one: str
    other: str


@dataclass(frozen=True, slots=True)
class SkewClock(ControlRequest):
    """Set a node's clock ahead by so many seconds, or behind."""

    node: str
    seconds: float

    def check(self) -> None:
        if not is_a_skew(self.seconds):
            raise BadRequest(f"{self.seconds:g} s: a clock may be wrong by {MAX_SKEW_S:g} s")


CONTROL_REQUESTS: Final[Mapping[str, type[ControlRequest]]] = MappingProxyType(
    {
        "status": TellStatus,
        "pause": PauseNode,
        "resume": ResumeNode,
        "kill": KillNode,
        "restart": RestartNode,
        "add": AddNode,
        "cut": CutLink,
        "heal": HealLink,
        "skew": SkewClock,
    }
)
"""Requests by what they do."""
_NAMES: Final = {kind: name for name, kind in CONTROL_REQUESTS.items()}


def write_request(request: ControlRequest) -> bytes:
    """A request as a line."""
    return json.dumps({"do": _NAMES[type(request)], **asdict(request)}).encode() + b"\n"


def read_request(line: bytes) -> ControlRequest:
    """:raises BadRequest: when the line is no request."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        raise BadRequest("a line of JSON is expected") from None
    if not isinstance(found, dict):
        raise BadRequest("a JSON object is expected")
    name = found.pop("do", None)
    kind = CONTROL_REQUESTS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise BadRequest(f"`do` is none of {', '.join(CONTROL_REQUESTS)}")
    request = kind(**_values(kind, str(name), found))
    request.check()
    return request


def _values(kind: type[ControlRequest], name: str, found: dict[str, Any]) -> dict[str, Any]:
    wanted = {field.name: field for field in fields(kind)}
    if unknown := sorted(found.keys() - wanted.keys()):
        raise BadRequest(f"{name}: there is no {unknown[0]!r:.80}")
    for field in wanted.values():
        if field.name not in found and field.default is MISSING:
            raise BadRequest(f"{name}: {field.name} is missing")
    return {
        each: _value(f"{name}: {each}", str(wanted[each].type), value)
        for each, value in found.items()
    }


def _value(where: str, wanted: str, value: Any) -> Any:
    if value is None and wanted.endswith("| None"):
        return None
    match wanted.removesuffix(" | None"):
        case "str":
            if isinstance(value, str) and len(value) <= _MAX_TEXT:
                return value
            raise BadRequest(f"{where} is no text")
        case "int":
            if isinstance(value, int) and not isinstance(value, bool):
                return value
            raise BadRequest(f"{where} is no whole number")
        case _:
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if number and abs(value) < 1e12 and math.isfinite(value):
                return float(value)
            raise BadRequest(f"{where} is no number")


# Answers


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """One node. ``state``: starting, running, paused or down; ``cut_from``: to whom it has no
    link."""

    name: str
    role: str
    state: str
    pid: int | None
    restarts: int
    best: int
    finalized: int
    rpc: str
    clock_skew_s: float
    cut_from: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ParaStatus:
    """One para, by this run's parablocks. ``head`` is the last one's, in hex and cut short."""

    para: int
    name: str
    included: int
    finalized: int
    head: str | None


@dataclass(frozen=True, slots=True)
class NetworkStatus:
    """The whole network. ``pid`` is the devnet's own process."""

    base_path: str
    pid: int
    best: int
    finalized: int
    nodes: tuple[NodeStatus, ...]
    paras: tuple[ParaStatus, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """It is done; ``text`` says what, ``node`` is whom it concerns."""

    node: str
    text: str


ControlAnswer = NetworkStatus | Done


def write_answer(answer: ControlAnswer | RequestRefused) -> bytes:
    """An answer as a line."""
    if isinstance(answer, RequestRefused):
        form: dict[str, Any] = {"error": {"kind": answer.kind, "message": str(answer)}}
    else:
        form = {"ok": asdict(answer)}
    return json.dumps(form).encode() + b"\n"
