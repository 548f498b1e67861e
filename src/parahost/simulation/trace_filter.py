"""Looking things up in a trace file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parahost.primitives.errors import InputError

LONGEST_RUN_S = 1e9
"""No run is as long, and no log began as early."""


class BadTrace(InputError):
    """The file is no trace; says where."""


@dataclass(slots=True)
class TraceFilter:
    """What to look for; ``None`` does not narrow. Hashes are hexadecimal beginnings, with or
    without ``0x``. A filter learns which candidates belong to its para, and which hash its block's
    number has, from the events it has seen: so give it all, in order."""

    node: str | None = None
    candidate: str | None = None
    para: int | None = None
    block: str | None = None
    event: str | None = None
    since: float | None = None
    until: float | None = None
    _candidates: dict[str, None] = field(default_factory=dict)
    _blocks: dict[str, None] = field(default_factory=dict)

    def passes(self, line: Mapping[str, Any]) -> bool:
        """Whether an event is among those that are looked for."""
        node, event, at = line["node"], line["event"], line["at"]
        self._learn(line)
        return (
            (self.node is None or node == self.node)
            and (self.event is None or event.startswith(self.event))
            and (self.since is None or at >= self.since)
            and (self.until is None or at <= self.until)
            and (self.candidate is None or _begins(line.get("candidate"), self.candidate))
            and (self.para is None or self._is_of_para(line))
            and (self.block is None or self._is_of_block(line))
        )

    def _learn(self, line: Mapping[str, Any]) -> None:
        if self.para is not None and line.get("para") == self.para and "candidate" in line:
            self._candidates[line["candidate"]] = None
        if self.block is not None and "block" in line and str(line.get("number")) == self.block:
            self._blocks[line["block"]] = None

    def _is_of_para(self, line: Mapping[str, Any]) -> bool:
        return line.get("para") == self.para or line.get("candidate") in self._candidates

    def _is_of_block(self, line: Mapping[str, Any]) -> bool:
        assert self.block is not None
        named = [line.get(name) for name in ("block", "relay_parent", "parent")]
        return any(hash in self._blocks or _begins(hash, self.block) for hash in named if hash)


def read_trace(path: Path, wanted: TraceFilter) -> Iterator[str]:
    """The lines of a trace file that pass.

    :raises BadTrace: with the line that is none, after those before it.
    :raises OSError: when the file cannot be read.
    """
    with path.open("rb") as file:
        for number, form in enumerate(file, start=1):
            try:
                text = form.decode()
                passes = wanted.passes(_event(text))
            except (ValueError, KeyError, TypeError) as why:
                raise BadTrace(f"{path}:{number}: {_what_is_wrong(number, form)}") from why
            if passes:
                yield text.rstrip("\n")


def _event(text: str) -> Mapping[str, Any]:
    """:raises ValueError, KeyError, TypeError: when it is none."""
    line = json.loads(text)
    if not (isinstance(line["node"], str) and isinstance(line["event"], str)):
        raise TypeError(line)
    if not 0 <= line["at"] < LONGEST_RUN_S:
        raise ValueError(line)
    event: Mapping[str, Any] = line
    return event


def _what_is_wrong(number: int, form: bytes) -> str:
    if number > 1 and not form.endswith(b"\n"):
        return "cut off here: let the run end that writes it, or remove this line"
    return "not an event of a trace"


def _begins(hash: object, beginning: str) -> bool:
    return isinstance(hash, str) and hash.startswith("0x" + beginning.removeprefix("0x"))
