"""What a block author brings to the parachains' part of a block (A52, A103)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from parahost.primitives.availability import SignedAvailabilityBitfield
from parahost.primitives.disputes import DisputeStatementSet
from parahost.primitives.header import Header
from parahost.primitives.limits import MAX_CORES, MAX_VALIDATORS
from parahost.primitives.scale import MaxLen
from parahost.primitives.statements import BackedCandidate


@dataclass(frozen=True, slots=True)
class ParachainsInherentData:
    """The arguments of the ``inclusion`` entry point. ``bitfields`` ascend by validator index,
    ``backed_candidates`` by core (D9); ``parent_header`` is the header of the block's parent."""

    bitfields: Annotated[tuple[SignedAvailabilityBitfield, ...], MaxLen(MAX_VALIDATORS)]
    backed_candidates: Annotated[tuple[BackedCandidate, ...], MaxLen(MAX_CORES)]
    disputes: Annotated[tuple[DisputeStatementSet, ...], MaxLen(MAX_CORES)]
    parent_header: Header
