"""A module's name and number, as tools see them: Polkadot's where Polkadot has the module."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Pallet:
    """The number tags a module's calls, its events and its errors in SCALE forms; the name begins
    the keys of its storage. Classes that share one are one module to the outside."""

    index: int
    name: str
