"""What the chain tells of itself (A110)."""

from __future__ import annotations

from dataclasses import dataclass

from parahost.primitives.basic import Hash
from parahost.primitives.header import Extrinsic, Header


@dataclass(frozen=True, slots=True)
class BlockImportEvent:
    """A block has been added to the chain."""

    hash: Hash
    header: Header
    new_best: bool
    """Whether it is the head of the best chain by the fork choice rule."""


@dataclass(frozen=True, slots=True)
class BestBlockEvent:
    """The best block is another one, and was imported before: the fork that was best is left.

    ``forgotten``: what those blocks of that fork had, in their order, which the chain has forgotten
    with this, because others became final in their place: it can be read nowhere any more."""

    hash: Hash
    header: Header
    forgotten: tuple[Extrinsic, ...] = ()


@dataclass(frozen=True, slots=True)
class BlockFinalizationEvent:
    """A block has become final, and with it its ancestors."""

    hash: Hash
    header: Header
