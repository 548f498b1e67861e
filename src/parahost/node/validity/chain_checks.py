"""What an author brings of a candidate's checks: what it knows and the chain does not (D22)."""

from __future__ import annotations

from collections.abc import Mapping

from parahost.approval.completeness import completeness
from parahost.node.validity.checking import Checking
from parahost.primitives.approval import Approval, SecondaryChecks
from parahost.primitives.basic import Slot, ValidatorIndex
from parahost.runtime.parachains.approvals import CheckState


def checks_for_chain(
    checking: Checking,
    approvals: Mapping[ValidatorIndex, Approval | None],
    noted: CheckState,
    slot: Slot,
) -> SecondaryChecks | None:
    """What a block of that slot may bring, when this is noted already; ``None`` when it need not
    bring anything. A checker that does not deliver is brought too: the chain is to see that
    others must cover it. So a candidate may be complete on the chain by the passing of time alone:
    then it is named with nothing, and looked at."""
    now = max(slot - checking.record.included_slot, 0) * checking.session.approval.tranches_per_slot
    known = {each.validator for each in noted.assigned}
    assignments = tuple(
        checking.proofs[validator]
        for validator in sorted(checking.proofs)
        if validator not in known and checking.assigned[validator].tranche <= now
    )
    announced = known | {each.validator_index for each in assignments}
    found = {v: approvals[v] for v in sorted(announced & approvals.keys())}
    brought = tuple(
        approval
        for validator, approval in found.items()
        if approval is not None and validator not in noted.approved
    )
    record, checkers = checking.record, noted.checkers()
    suffices = completeness(record, checking.session, checkers, noted.approved, now).is_complete
    if not (assignments or brought or suffices):
        return None
    session, candidate = record.key()
    return SecondaryChecks(session, candidate, assignments, brought)
