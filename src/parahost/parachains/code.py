"""The built validation functions of the example parachains; ``make wasm`` builds them anew."""

from __future__ import annotations

from importlib.resources import files
from typing import Literal

from parahost.primitives.basic import ValidationCode

ExampleName = Literal["adder", "ledger", "load"]


def example_code(name: ExampleName) -> ValidationCode:
    """The Wasm of an example, from its ``validation.c``."""
    wasm = files("parahost.parachains").joinpath(name, "validation.wasm")
    return ValidationCode(wasm.read_bytes())
