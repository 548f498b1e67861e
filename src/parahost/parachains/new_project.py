"""Beginning a parachain: a project that runs at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Final

from parahost.parachains.code import Language
from parahost.parachains.spec import FIRST_ID
from parahost.primitives.errors import InputError

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
_MAX_NAME: Final = 64
_SOURCES: Final[Mapping[Language, Mapping[str, str]]] = {
    "c": {"validation.c": "project/validation.c", "wasm_abi.h": "wasm_abi.h"},
    "rust": {"validation.rs": "project/validation.rs", "wasm_abi.rs": "project/wasm_abi.rs"},
}
"""What the validation function is made of, the first first; and where it lies."""


class BadProject(InputError):
    """There can be no project of that name there; says why."""


def write_project(folder: Path, language: Language, para_id: int = FIRST_ID) -> None:
    """A new folder with a parachain of that name: its function in that language and built, its
    collator, its specification and a test.

    :raises BadProject: when the name is none, or there is something of that name.
    :raises OSError: when it cannot be written.
    """
    name = folder.name
    if not _NAME.fullmatch(name) or len(name) > _MAX_NAME:
        raise BadProject(
            f"{name or folder}: no name for a parachain; write small letters and digits, with a"
            f" letter first and - or _ between words, {_MAX_NAME} at most"
        )
    try:
        folder.mkdir()
    except FileExistsError:
        raise BadProject(f"{folder}: is there already; choose another name") from None
    for file, content in _contents(name, language, para_id).items():
        (folder / file).write_bytes(content)


def _contents(name: str, language: Language, para_id: int) -> dict[str, bytes]:
    module = name.replace("-", "_")
    sources = _SOURCES[language]

    def filled(path: str) -> bytes:
        text = _template(path).decode()
        for word, meant in (
            ("PROJECT_collator", f"{module}_collator"),
            ("PROJECT", name),
            ("SOURCE", next(iter(sources))),
            (f"id = {FIRST_ID}\n", f"id = {para_id}\n"),
            (f"PARA = {FIRST_ID}\n", f"PARA = {para_id}\n"),
        ):
            text = text.replace(word, meant)
        return text.encode()

    return {
        f"{name}.toml": filled("project/counter.toml"),
        f"{module}_collator.py": filled("project/counter_collator.py"),
        f"test_{module}.py": filled("project/test_counter.py.in"),
        "README.md": filled("project/README.md"),
        "Makefile": filled(f"project/Makefile.{language}"),
        "validation.wasm": _template(f"project/{language}.wasm"),
        **{file: _template(path) for file, path in sources.items()},
    }


def _template(path: str) -> bytes:
    return files("parahost.parachains").joinpath(path).read_bytes()
