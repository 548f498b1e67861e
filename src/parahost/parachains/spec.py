"""What to run as a parachain: a shipped example by its name, or a TOML file.

::

    id = 2000                         # the para's number on the relay chain
    code = "validation.wasm"          # its validation function; paths are relative to this file
    collator = "my_collator:Counter"  # a module beside this file, or an installed one
    genesis_head = "0x0000000000000000"   # optional when the collator knows it
    [args]                            # optional: what the collator is made with
    step = 2

``example = "load"`` stands for the code and the collator of a shipped example.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from parahost.node.collation.para_standing import Expected
from parahost.parachains.code import ExampleName, example_code
from parahost.parachains.collator import Collator
from parahost.parachains.loading import BadCollator, load_collator
from parahost.parachains.wasm import MalformedWasm, exported_functions
from parahost.primitives.basic import U32, HeadData, ParaId, ValidationCode, ValidationCodeHash
from parahost.primitives.errors import InputError
from parahost.primitives.hashing import blake2_256
from parahost.validation.code import wasm_of
from parahost.validation.errors import FunctionFailed

EXAMPLES: Final[Mapping[str, tuple[ExampleName, str]]] = {
    "adder": ("adder", "parahost.parachains.adder.collator:AdderCollator"),
    "ledger": ("ledger", "parahost.parachains.ledger.collator:LedgerCollator"),
    "load": ("load", "parahost.parachains.load.collator:LoadCollator"),
}
"""Shipped examples by name."""
FIRST_ID = 2000
"""Examples without an id get the first that is free from here on: those below are reserved on
Polkadot."""
MAX_FILE_BYTES = 1024 * 1024
MAX_CODE_FILE_BYTES = 64 * 1024 * 1024

_KEYS = ("id", "example", "code", "collator", "args", "genesis_head")
_HEX = re.compile(r"(?:0x)?((?:[0-9a-fA-F]{2})*)")


class BadParachainSpec(InputError):
    """One line that says which file or name, which key in it, what is wrong and what to do."""

    def __init__(self, source: str, key: str | None, reason: str) -> None:
        super().__init__(": ".join(part for part in (source, key, reason) if part))
        self.source = source
        self.key = key
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ParachainSpec:
    """A parachain or parathread to run. ``source`` is the name or file that it came from;
    ``files``: what was read for it, beside its collator's module."""

    source: str
    id: ParaId
    code: ValidationCode
    collator: str
    args: Mapping[str, Any]
    genesis_head: HeadData
    search_path: Path | None
    files: tuple[Path, ...] = ()

    @property
    def name(self) -> str:
        """What people call it."""
        return Path(self.source).stem

    def make_collator(self) -> Collator:
        """:raises BadCollator: when the module has changed since the spec was read."""
        return load_collator(self.collator, self.args, self.search_path)

    def read_again(self) -> ParachainSpec:
        """What its files say now. The collator's module is not imported again, so that a genesis
        head which only the collator knows stays.

        :raises BadParachainSpec: when they are wrong, or for another para.
        """
        draft = _read(self.source)
        if draft.id not in (None, self.id):
            raise BadParachainSpec(self.source, "id", f"{draft.id}, where it was {self.id}")
        return replace(
            self,
            code=draft.code,
            collator=draft.collator,
            args=draft.args,
            genesis_head=self.genesis_head if draft.genesis_head is None else draft.genesis_head,
            files=draft.files,
        )

    def expected(self) -> Expected:
        """With what the para is to begin, to be held against what the chain has it begin with."""
        return Expected(self.genesis_head, ValidationCodeHash(blake2_256(self.code)))


def load_specs(texts: Sequence[str]) -> list[ParachainSpec]:
    """All paras of one chain: each text is an example's name or a TOML file's path.

    :raises BadParachainSpec: when one is wrong, or two have the same id.
    """
    drafts = [_read(text) for text in texts]
    taken: dict[int, str] = {}
    for draft in drafts:
        if draft.id is not None:
            if draft.id in taken:
                reason = f"{draft.id} is the id of {taken[draft.id]} too; choose another"
                raise BadParachainSpec(draft.source, "id", reason)
            taken[draft.id] = draft.source
    specs = []
    for draft in drafts:
        para_id = draft.id
        if para_id is None:
            para_id = next(i for i in range(FIRST_ID, 1 << 32) if i not in taken)
            taken[para_id] = draft.source
        specs.append(draft.finish(ParaId(U32(para_id))))
    return specs


def load_spec(text: str, para_id: int | None = None) -> ParachainSpec:
    """One para. ``para_id`` is its id where the text names none, and must be the same where it
    does.

    :raises BadParachainSpec: when it is wrong, or has no id, or another.
    """
    draft = _read(text)
    found = draft.id if draft.id is not None else para_id
    if found is None:
        raise BadParachainSpec(draft.source, "id", "absent: say which para it is")
    if para_id is not None and para_id != found:
        raise BadParachainSpec(draft.source, "id", f"{found}, where {para_id} was asked for")
    return draft.finish(ParaId(U32(found)))


@dataclass(frozen=True, slots=True)
class _Draft:
    """A spec whose id, and with it perhaps the genesis head, is still open."""

    source: str
    id: int | None
    code: ValidationCode
    collator: str
    args: Mapping[str, Any]
    genesis_head: HeadData | None
    search_path: Path | None
    files: tuple[Path, ...] = ()

    def finish(self, para_id: ParaId) -> ParachainSpec:
        try:
            collator = load_collator(self.collator, self.args, self.search_path)
        except BadCollator as error:
            raise BadParachainSpec(self.source, error.key, error.reason) from error
        head = self.genesis_head
        if head is None:
            head = collator.genesis_head(para_id)
        if head is None:
            reason = "absent, and the collator knows none: give the first head in hex"
            raise BadParachainSpec(self.source, "genesis_head", reason)
        return ParachainSpec(
            self.source,
            para_id,
            self.code,
            self.collator,
            self.args,
            head,
            self.search_path,
            self.files,
        )


def _read(text: str) -> _Draft:
    if text in EXAMPLES:
        name, collator = EXAMPLES[text]
        return _Draft(text, None, example_code(name), collator, {}, None, None)
    path = Path(text)
    if path.suffix != ".toml" and not path.is_file():
        known = ", ".join(EXAMPLES)
        raise BadParachainSpec(text, None, f"neither a shipped example ({known}) nor a TOML file")
    return _Reader(text, path.resolve(), _parse(text, path)).draft()


def _parse(source: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_contents(source, None, path, MAX_FILE_BYTES).decode())
    except UnicodeDecodeError as error:
        raise BadParachainSpec(source, None, f"not UTF-8 text at byte {error.start}") from error
    except tomllib.TOMLDecodeError as error:
        raise BadParachainSpec(source, None, f"not TOML: {error}") from error
    except RecursionError as error:
        raise BadParachainSpec(source, None, "nested too deeply") from error


def _contents(source: str, key: str | None, path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            found = file.read(limit + 1)
    except OSError as error:
        reason = f"cannot read {path}: {error.strerror}"
        raise BadParachainSpec(source, key, reason) from error
    if len(found) > limit:
        raise BadParachainSpec(source, key, f"{path} has more than {limit} bytes")
    return found


class _Reader:
    """Takes typed values out of a TOML file, or says which key is wrong."""

    def __init__(self, source: str, file: Path, table: dict[str, Any]) -> None:
        self._source = source
        self._directory = file.parent
        self._files = [file]
        self._table = table

    def draft(self) -> _Draft:
        for key in self._table:
            if key not in _KEYS:
                raise self._wrong(key, f"unknown; the keys are {', '.join(_KEYS)}")
        code, collator = self._function()
        return _Draft(
            self._source,
            self._id(),
            code,
            collator,
            self._args(),
            self._genesis_head(),
            self._directory,
            tuple(self._files),
        )

    def _wrong(self, key: str, reason: str) -> BadParachainSpec:
        return BadParachainSpec(self._source, key, reason)

    def _id(self) -> int:
        value = self._table.get("id")
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 32:
            raise self._wrong("id", f"a number from 0 to {(1 << 32) - 1} is expected")
        return value

    def _function(self) -> tuple[ValidationCode, str]:
        if "example" not in self._table:
            return self._code(), self._text("collator", "the collator's module:Class")
        for key in ("code", "collator"):
            if key in self._table:
                raise self._wrong(key, "`example` stands for it; remove one of the two")
        name = self._text("example", "the name of a shipped example")
        if name not in EXAMPLES:
            raise self._wrong("example", f"{name!r} is none of {', '.join(EXAMPLES)}")
        example, collator = EXAMPLES[name]
        return example_code(example), collator

    def _code(self) -> ValidationCode:
        path = self._directory / self._text("code", "the path of a Wasm file")
        self._files.append(path)
        code = _contents(self._source, "code", path, MAX_CODE_FILE_BYTES)
        try:
            exported = exported_functions(wasm_of(code))
        except (FunctionFailed, MalformedWasm) as error:
            raise self._wrong("code", f"{path}: {error}") from error
        if "validate_block" not in exported:
            raise self._wrong("code", f"{path} exports no function `validate_block`")
        return ValidationCode(code)

    def _text(self, key: str, what: str) -> str:
        value = self._table.get(key)
        if not isinstance(value, str) or not value:
            raise self._wrong(key, f"{what} is expected, as a text")
        return value

    def _args(self) -> Mapping[str, Any]:
        value = self._table.get("args", {})
        if not isinstance(value, dict):
            raise self._wrong("args", "a table is expected")
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            reason = f"texts, numbers, lists and tables are expected: {error}"
            raise self._wrong("args", reason) from error
        return value

    def _genesis_head(self) -> HeadData | None:
        value = self._table.get("genesis_head")
        if value is None:
            return None
        found = _HEX.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            raise self._wrong("genesis_head", f"{value!r:.80} is not bytes in hex")
        return HeadData(bytes.fromhex(found[1]))
