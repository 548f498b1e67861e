"""JSON values, and bytes as Substrate's clients read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

Json: TypeAlias = str | int | float | bool | Sequence["Json"] | Mapping[str, "Json"] | None


def hex_of(data: bytes) -> str:
    return f"0x{data.hex()}"


def optional_hex(data: bytes | None) -> str | None:
    return None if data is None else hex_of(data)
