"""What the journal says of the chain: blocks, and what became of candidates in them.

With these lines and the subsystems' own, one search for a candidate's hash tells its life.
"""

from __future__ import annotations

from parahost.chain.chain import Chain, ChainEvent
from parahost.ports import Journal
from parahost.primitives.basic import Hash
from parahost.primitives.events import BlockImportEvent
from parahost.primitives.hashing import blake2_256
from parahost.primitives.runtime_api import (
    CandidateBackedEvent,
    CandidateEvent,
    CandidateIncludedEvent,
)
from parahost.runtime import api


def record_chain_event(journal: Journal, chain: Chain, event: ChainEvent) -> None:
    """One line for the event, and on import one for each candidate that moved on."""
    number = event.header.number
    if not isinstance(event, BlockImportEvent):
        journal.record("chain.finalized", block=event.hash, number=number)
        return
    journal.record(
        "chain.imported",
        block=event.hash,
        number=number,
        parent=event.header.parent_hash,
        best=int(event.new_best),
    )
    for moved in api.candidate_events(chain.state(event.hash)):
        _record_candidate(journal, event.hash, number, moved)


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
