"""What a relay parent that is worked on says of its children, learnt once (A67, A115, D1)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from parahost.node.availability.pending import PendingCandidate, pending_candidates
from parahost.node.backing.assignments import Assignments, Basis, ParaAssignment, assign
from parahost.node.session import ChildSession
from parahost.node.validity.checked_block import CheckedBlock, checked_block
from parahost.primitives.basic import (
    BlockNumber,
    CandidateHash,
    Hash,
    ParaId,
    ValidatorId,
    ValidatorIndex,
)
from parahost.primitives.header import Header
from parahost.primitives.runtime_api import CandidateEvent, CoreState, ValidatorGroups
from parahost.primitives.statements import SigningContext
from parahost.runtime import api
from parahost.runtime.storage import State

T = TypeVar("T")

MAX_KEPT_ANSWERS = 1024
"""Of one leaf, besides what is an attribute. Byte strings (validation code) are not kept: the state
gives them as fast, and they would fill the memory."""


@dataclass(frozen=True, eq=False)
class ActiveLeaf:
    """An active leaf of the block tree, with the state after it.

    Made once per import and carried by ``StartWork``. What many subsystems need is an attribute:
    it is computed when it is first looked at, and then known to all. So nobody waits for it, and
    a node pays for nothing that its role does not use. Anything else is a :meth:`read`. All of it
    holds for children of this block, and never changes.
    """

    state: State = field(repr=False)
    hash: Hash
    header: Header
    _bases: dict[ParaId, Basis | None] = field(default_factory=dict, init=False, repr=False)
    _answers: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False)

    @property
    def number(self) -> BlockNumber:
        return self.header.number

    def read(self, function: Callable[..., T], *args: Any) -> T:
        """What a function of the Runtime API gives on this state."""
        return function(self.state, *args)

    def kept(self, function: Callable[..., T], *args: Any) -> T:
        """The same, kept for who asks again: several subsystems, about several candidates."""
        question = (function, args)
        if question in self._answers:
            found: T = self._answers[question]
            return found
        answer = self.read(function, *args)
        if len(self._answers) < MAX_KEPT_ANSWERS and not isinstance(answer, bytes):
            self._answers[question] = answer
        return answer

    # Who

    @cached_property
    def session(self) -> ChildSession:
        """Who validates the children, and what ties signatures to this relay parent."""
        signing = SigningContext(self.read(api.session_index_for_child), self.hash)
        return ChildSession(self.read(api.validators), signing)

    @cached_property
    def disabled(self) -> frozenset[ValidatorIndex]:
        """Validators whose votes for candidates do not count in the children."""
        return self.read(api.disabled_validators)

    @cached_property
    def next_validators(self) -> tuple[ValidatorId, ...]:
        """Who will validate in the session after that one, as far as it is decided."""
        queued = self.read(api.queued_validators)
        return tuple(validator.keys.para_validator for validator in queued)

    @cached_property
    def groups(self) -> ValidatorGroups:
        return self.read(api.validator_groups)

    # What

    @cached_property
    def cores(self) -> tuple[CoreState, ...]:
        """The availability cores, by index."""
        return self.read(api.availability_cores)

    @cached_property
    def assignments(self) -> Assignments:
        """Which paras may have a candidate in a child, and who judges it (A73)."""
        return Assignments(self.session, assign(self.groups, self.cores))

    def basis(self, assignment: ParaAssignment) -> Basis | None:
        """By what the candidate of an assignment is made and judged; ``None`` when the para is not
        registered, or the assumption does not hold."""
        para = assignment.para_id
        if para not in self._bases:
            self._bases[para] = self._basis(assignment)
        return self._bases[para]

    def _basis(self, assignment: ParaAssignment) -> Basis | None:
        para, assumption = assignment.para_id, assignment.assumption
        data = self.read(api.persisted_validation_data, para, assumption)
        code = self.read(api.validation_code, para, assumption)
        criteria = self.read(api.acceptance_criteria, para, assumption)
        if data is None or code is None or criteria is None:
            return None
        return Basis(data, code, criteria)

    @cached_property
    def pending(self) -> Mapping[CandidateHash, PendingCandidate]:
        """The candidates that await availability."""
        return pending_candidates(self.cores, self.session.validators, self.groups.groups)

    @cached_property
    def checked(self) -> CheckedBlock:
        """The candidates of this block that are to be checked."""
        return self.read(checked_block, self.hash, self.header)

    @cached_property
    def recorded(self) -> frozenset[BlockNumber]:
        """The blocks whose candidates are not done with on this fork."""
        return frozenset(self.read(api.recorded_blocks))

    @cached_property
    def events(self) -> tuple[CandidateEvent, ...]:
        """What became of candidates in this block."""
        return self.read(api.candidate_events)
