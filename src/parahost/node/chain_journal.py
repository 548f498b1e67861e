"""What the journal says of the chain: blocks, what became of candidates in them, and of stakes.

With these lines and the subsystems' own, one search for a candidate's hash tells its life.
"""

from __future__ import annotations

from collections.abc import Iterable

from parahost.ports import Journal
from parahost.primitives.basic import Hash
from parahost.primitives.disputes import DisputeState
from parahost.primitives.events import BestBlockEvent, BlockFinalizationEvent, BlockImportEvent
from parahost.primitives.hashing import blake2_256
from parahost.primitives.runtime_api import (
    CandidateBackedEvent,
    CandidateEvent,
    CandidateIncludedEvent,
)
from parahost.runtime import api
from parahost.runtime.module import RuntimeEvent
from parahost.runtime.parachains.approvals import CandidateAccepted
from parahost.runtime.parachains.dispute_events import (
    DisputeConcluded,
    DisputeInitiated,
    DisputeTimedOut,
    Frozen,
)
from parahost.runtime.parachains.remote_disputes import (
    RemoteCandidateAvailable,
    RemoteCandidateUnavailable,
    RemoteDisputeBrought,
)
from parahost.runtime.parachains.windows import CandidateKey
from parahost.runtime.slashing import ValidatorPunished
from parahost.runtime.storage import State


def record_finality(journal: Journal, event: BlockFinalizationEvent) -> None:
    journal.record("chain.finalized", block=event.hash, number=event.header.number)


def record_best(journal: Journal, event: BestBlockEvent) -> None:
    """The fork that was best is left."""
    journal.record("chain.fork_left", block=event.hash, number=event.header.number)


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


# Verdicts, and what they cost


def record_verdicts(journal: Journal, event: BlockImportEvent, state: State) -> None:
    """One line for each verdict in the block, with the validators who have a part in it, and for
    each punishment. Validators are told by their indices in the candidate's session."""
    for record in api.events(state):
        told = _verdict(record.event, state)
        if told is not None:
            name, fields = told
            journal.record(name, **fields, block=event.hash, number=event.header.number)


def _verdict(event: RuntimeEvent, state: State) -> tuple[str, dict[str, object]] | None:
    match event:
        case CandidateAccepted(session, candidate):
            return "chain.accepted", _named((session, candidate)) | _checks(state, event)
        case DisputeInitiated(session, candidate, local):
            key = session, candidate
            return "chain.disputed", _named(key) | {"local": int(local)} | _votes(state, key)
        case DisputeConcluded(session, candidate, outcome):
            key = session, candidate
            found = {"outcome": outcome.name.lower()}
            return "chain.dispute_concluded", _named(key) | found | _votes(state, key)
        case DisputeTimedOut(session, candidate):
            key = session, candidate
            return "chain.dispute_timed_out", _named(key) | _votes(state, key)
        case RemoteDisputeBrought(session, candidate):
            key = session, candidate
            waiting = dict(api.remote_disputes(state))[key].dispute
            return "chain.disputed_remotely", _named(key) | _sides(waiting)
        case RemoteCandidateAvailable(session, candidate):
            return "chain.remote_available", _named((session, candidate))
        case RemoteCandidateUnavailable(session, candidate):
            return "chain.remote_unavailable", _named((session, candidate))
        case Frozen(to):
            return "chain.frozen", {"to": to}
        case ValidatorPunished():
            return "chain.punished", _punishment(state, event)
    return None


def _named(key: CandidateKey) -> dict[str, object]:
    session, candidate = key
    return {"candidate": candidate, "session": session}


def _checks(state: State, event: CandidateAccepted) -> dict[str, object]:
    """Who was assigned, as validator@tranche, and who has approved."""
    checks = api.candidate_checks(state, (event.session, event.candidate_hash))
    assigned = (f"{each.validator}@{each.tranche}" for each in checks.assigned)
    return {"assigned": ",".join(assigned), "approved": _listed(checks.approved)}


def _votes(state: State, key: CandidateKey) -> dict[str, object]:
    return _sides(dict(api.disputes(state))[key])


def _sides(dispute: DisputeState) -> dict[str, object]:
    """Who has voted how."""
    return {
        "valid": _listed(dispute.validators_for.ones()),
        "invalid": _listed(dispute.validators_against.ones()),
    }


def _punishment(state: State, event: ValidatorPunished) -> dict[str, object]:
    """``lost`` and ``left`` in parts of a token."""
    fields: dict[str, object] = {"session": event.session}
    if event.candidate is not None:
        fields["candidate"] = event.candidate
    accounts = [each.account for each in api.validators_of(state, event.session)]
    if event.validator in accounts:
        fields["validator"] = accounts.index(event.validator)
    return fields | {
        "account": event.validator,
        "misconduct": event.misconduct.name.lower(),
        "lost": event.amount,
        "left": api.stake(state, event.validator),
    }


def _listed(validators: Iterable[int]) -> str:
    return ",".join(map(str, validators))
