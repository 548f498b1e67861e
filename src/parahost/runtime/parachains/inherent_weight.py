"""What the ``inclusion`` inherent weighs, by its parts.

The sum of :data:`FIXED` and of the weight of each item is the inherent's whole weight. An author
takes items, in the order of the inherent's steps, as long as the sum ``is_within``
:data:`MAX_INCLUSION_WEIGHT`.
"""

from __future__ import annotations

from typing import Final

from parahost.primitives.disputes import DisputeStatementSet
from parahost.primitives.inherent import ParachainsInherentData
from parahost.primitives.statements import BackedCandidate
from parahost.runtime.module import call_weight
from parahost.runtime.timestamp import SetTimestamp
from parahost.runtime.weights import MAX_INHERENT_WEIGHT, Weight, micros, nanos

MAX_INCLUSION_WEIGHT: Final = MAX_INHERENT_WEIGHT - call_weight(SetTimestamp(0))
"""What the two inherents may weigh together, less the timestamp's."""
FIXED: Final = micros(3000)
"""The inherent without content: timeouts, and the scheduling of cores."""
BITFIELD: Final = micros(150)
"""Decoding, one signature, and the votes for what is pending."""
CANDIDATE: Final = micros(600)
"""Decoding, the collator's signature, the checks, and later the inclusion or the timeout."""
VOTE: Final = micros(110)
"""One signature of a backer."""
OUTPUT_BYTE: Final = nanos(36)
"""A byte of head or code: hashed and stored with the block, when backed, and when included."""
DISPUTE: Final = micros(15_000)
"""A disputed candidate: its state, and the penalties if the votes conclude it."""
DISPUTE_VOTE: Final = micros(150)
"""One signature."""
MAX_DISPUTES_WEIGHT: Final = micros(600_000)
"""What an author lets disputes take of the inherent: there is room left for the rest."""


def disputes_weight(statements: DisputeStatementSet) -> Weight:
    """What is brought on one disputed candidate."""
    return DISPUTE + DISPUTE_VOTE * len(statements.statements)


def bitfields_weight(count: int) -> Weight:
    return BITFIELD * count


def candidate_weight(backed: BackedCandidate) -> Weight:
    """A backed candidate with its votes and its outputs."""
    outputs = backed.candidate.commitments
    length = len(outputs.head_data) + len(outputs.new_validation_code or b"")
    return CANDIDATE + VOTE * len(backed.validity_votes) + OUTPUT_BYTE * length


def inclusion_weight(data: ParachainsInherentData) -> Weight:
    """The whole inherent."""
    parts = [
        *map(disputes_weight, data.disputes),
        *map(candidate_weight, data.backed_candidates),
        bitfields_weight(len(data.bitfields)),
    ]
    return sum(parts, start=FIXED)
