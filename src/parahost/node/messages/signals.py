"""The overseer's heartbeat: which relay parents to work on (A110)."""

from __future__ import annotations

from dataclasses import dataclass

from parahost.node.leaf import ActiveLeaf
from parahost.primitives.basic import BlockNumber, Hash


@dataclass(frozen=True, slots=True)
class StartWork:
    """Begin work localised to this relay parent: it became a leaf."""

    leaf: ActiveLeaf


@dataclass(frozen=True, slots=True)
class StopWork:
    """Stop work localised to this relay parent; the jobs on it are cancelled right after."""

    relay_parent: Hash


@dataclass(frozen=True, slots=True)
class BlockFinalized:
    """This block and all its ancestors are final."""

    block: Hash
    number: BlockNumber


OverseerSignal = StartWork | StopWork | BlockFinalized
