"""What the journal says of the chain: blocks, and what became of candidates in them.

With these lines and the subsystems' own, one search for a candidate's hash tells its life.
"""

from __future__ import annotations

from collections.abc import Iterable

from parahost.ports import Journal
from parahost.primitives.basic import Hash
from parahost.primitives.events import BlockFinalizationEvent, BlockImportEvent
from parahost.primitives.hashing import blake2_256
from parahost.primitives.runtime_api import (
    CandidateBackedEvent,
    CandidateEvent,
    CandidateIncludedEvent,
)


def record_finality(journal: Journal, event: BlockFinalizationEvent) -> None:
    journal.record("chain.finalized", block=event.hash, number=event.header.number)


def record_import(
    journal: Journal, event: BlockImportEvent, moved: Iterable[CandidateEvent]
) -> None:
    """One line for the block, and one for each candidate that moved on in it."""
    number = event.header.number
    journal.record(
        "chain.imported",
        block=event.hash,
        number=number,
        parent=event.header.parent_hash,
        best=int(event.new_best),
    )
    for one in moved:
        _record_candidate(journal, event.hash, number, one)


def _record_candidate(journal: Journal, block: Hash, number: int, event: CandidateEvent) -> None:
    name = {CandidateBackedEvent: "chain.backed", CandidateIncludedEvent: "chain.included"}.get(
        type(event), "chain.timed_out"
    )
    journal.record(
        name,
        candidate=event.receipt.hash(),
        para=event.receipt.descriptor.para_id,
        core=event.core,
        block=block,
        number=number,
        head=blake2_256(event.head),
    )
