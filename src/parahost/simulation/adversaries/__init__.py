"""Adversaries: normal nodes with somebody between their parts and the world (habit 12)."""

from collections.abc import Mapping

from parahost.simulation.adversaries.adversary import Adversary
from parahost.simulation.adversaries.authors import (
    CensoringAuthor,
    EmptyAuthor,
    EquivocatingAuthor,
)
from parahost.simulation.adversaries.availability import NeverClaims

KINDS: Mapping[str, type[Adversary]] = {
    adversary.kind: adversary
    for adversary in (NeverClaims, CensoringAuthor, EmptyAuthor, EquivocatingAuthor)
}
"""All adversaries by their names in TOML."""

__all__ = [
    "KINDS",
    "Adversary",
    "CensoringAuthor",
    "EmptyAuthor",
    "EquivocatingAuthor",
    "NeverClaims",
]
