"""The built validation functions of the example parachains; ``make wasm`` builds them anew."""

from __future__ import annotations

from importlib.resources import files
from typing import Literal

from parahost.primitives.basic import ValidationCode

ExampleName = Literal["adder", "ledger", "load"]
Language = Literal["c", "rust"]


def example_code(name: ExampleName) -> ValidationCode:
    """The Wasm of an example, from its ``validation.c``."""
    return _built(name, "validation.wasm")


def counter_code(language: Language) -> ValidationCode:
    """The Wasm of the counter that new projects begin with, from its source in that language. Both
    judge alike."""
    return _built("project", f"{language}.wasm")


def _built(*path: str) -> ValidationCode:
    wasm = files("parahost.parachains").joinpath(*path)
    return ValidationCode(wasm.read_bytes())
