"""What an author brings of candidates' checks: of what they need, what the chain lacks (D22)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import groupby
from operator import itemgetter

from parahost.approval.completeness import Completeness, completeness
from parahost.approval.tranches import Assigned, Enough
from parahost.node.validity.checking import Checking
from parahost.primitives.approval import Approval, SecondaryChecks
from parahost.primitives.basic import BlockNumber, Slot, ValidatorIndex
from parahost.runtime.parachains.approval_weight import MAX_CHECKS_WEIGHT, checks_weight
from parahost.runtime.parachains.approvals import CheckState
from parahost.runtime.weights import Weight


def checks_for_chain(
    checking: Checking,
    approvals: Mapping[ValidatorIndex, Approval | None],
    noted: CheckState,
    slot: Slot,
) -> SecondaryChecks | None:
    """What a block of that slot may bring, when this is noted already; ``None`` when it need not
    bring anything. Who does not change anything for the chain is not brought: a block has room for
    few checks, and liars may announce themselves in tranches that nobody waits for. A checker that
    is needed and does not deliver is brought too: the chain is to see that others must cover it. So
    a candidate may be complete on the chain by the passing of time alone: then it is named with
    nothing, and looked at."""
    now = max(slot - checking.record.included_slot, 0) * checking.session.approval.tranches_per_slot
    known = {each.validator for each in noted.assigned}
    news = {
        validator: Assigned(checking.assigned[validator].tranche, validator, now)
        for validator in sorted(checking.proofs)
        if validator not in known and checking.assigned[validator].tranche <= now
    }
    announced = known | news.keys()
    signed = {v: approvals[v] for v in sorted(announced & approvals.keys())}
    approved = {v for v, approval in signed.items() if approval is not None}.union(noted.approved)
    assigned = [*noted.checkers(), *news.values()]
    found = completeness(checking.record, checking.session, assigned, approved, now)
    needed = _needed(found, assigned, approved)
    assignments = tuple(checking.proofs[validator] for validator in news if validator in needed)
    brought = tuple(
        approval
        for validator, approval in signed.items()
        if approval is not None and validator in needed and validator not in noted.approved
    )
    record, checkers = checking.record, noted.checkers()
    suffices = completeness(record, checking.session, checkers, noted.approved, now).is_complete
    if not (assignments or brought or suffices):
        return None
    session, candidate = record.key()
    return SecondaryChecks(session, candidate, assignments, brought)


def _needed(
    found: Completeness, assigned: Collection[Assigned], approved: Collection[ValidatorIndex]
) -> Collection[ValidatorIndex]:
    """Whose assignments and checks the chain waits for, of those who are known. When so many have
    approved that nobody's tranche matters, these; and when some tranches are enough, theirs."""
    if isinstance(found.required, Enough):
        within = [each for each in assigned if each.tranche <= found.required.upto]
        due = {each.validator for each in within}
        if not found.is_final or len(due & set(approved)) + found.required.covered >= len(due):
            return due
    return approved if found.is_final else {each.validator for each in assigned}


def as_much_as_fits(
    lacking: Iterable[tuple[BlockNumber, SecondaryChecks]],
) -> tuple[SecondaryChecks, ...]:
    """Of what the chain lacks, by including block, as much as one block takes and the rest of the
    last candidate. The oldest come first, so that none waits for ever where more is included than
    can be checked on the chain; and of one block's those that need least, so that most are accepted
    soon. ``lacking`` ascends by block, and is read no further than need be."""
    taken: list[SecondaryChecks] = []
    weight = Weight()
    for _, of_block in groupby(lacking, key=itemgetter(0)):
        for checks in sorted((each for _, each in of_block), key=_ref_time):
            taken.append(checks)
            weight += checks_weight(checks)
            if not weight.is_within(MAX_CHECKS_WEIGHT):
                return tuple(taken)
    return tuple(taken)


def _ref_time(checks: SecondaryChecks) -> int:
    return checks_weight(checks).ref_time
