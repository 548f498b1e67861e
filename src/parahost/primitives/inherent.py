"""What a block author brings to the parachains' part of a block (A52, A103)."""

from __future__ import annotations

from dataclasses import dataclass

from parahost.primitives.availability import SignedAvailabilityBitfield
from parahost.primitives.disputes import DisputeStatementSet
from parahost.primitives.header import Header
from parahost.primitives.statements import BackedCandidate


@dataclass(frozen=True, slots=True)
class ParachainsInherentData:
    """The arguments of the ``inclusion`` entry point. ``bitfields`` ascend by validator index,
    ``backed_candidates`` by core (D9); ``parent_header`` is the header of the block's parent."""

    bitfields: tuple[SignedAvailabilityBitfield, ...]
    backed_candidates: tuple[BackedCandidate, ...]
    disputes: tuple[DisputeStatementSet, ...]
    parent_header: Header
