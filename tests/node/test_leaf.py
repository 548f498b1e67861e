"""A leaf says what its state says, each thing once (A67, A115, D1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from parahost.node.availability.pending import pending_of
from parahost.node.backing.assignments import Basis, ParaAssignment, assign
from parahost.node.leaf import ActiveLeaf
from parahost.primitives.basic import U32, CoreIndex, ParaId
from parahost.primitives.runtime_api import CandidateBackedEvent, OccupiedCoreAssumption
from parahost.runtime import api
from tests.node.availability.world import RelayChain
from tests.runtime.parachains.world import World


@dataclass(frozen=True, eq=False)
class CountingLeaf(ActiveLeaf):
    """Counts what is read of the state."""

    reads: Counter[Callable[..., Any]] = field(default_factory=Counter)

    def read(self, function: Callable[..., Any], *args: Any) -> Any:
        self.reads[function] += 1
        return super().read(function, *args)


def leaf_with_a_pending_candidate() -> tuple[RelayChain, CountingLeaf]:
    chain = RelayChain(World(validators=6, parachains=[100, 101]))
    candidate, _ = chain.candidate(100)
    block = chain.add(backed=[candidate])
    return chain, CountingLeaf(chain.states[block.hash()], block.hash(), block)


@pytest.mark.guide("A72", "A73", "A115")
def test_it_says_what_the_state_says_of_the_children() -> None:
    chain, leaf = leaf_with_a_pending_candidate()
    state = chain.states[leaf.hash]
    assert leaf.number == 1
    assert leaf.session.validators == api.validators(state)
    assert leaf.session.signing.session_index == api.session_index_for_child(state)
    assert leaf.session.signing.parent_hash == leaf.hash
    assert leaf.cores == api.availability_cores(state)
    assert leaf.assignments.session == leaf.session
    assert leaf.assignments.paras == assign(api.validator_groups(state), leaf.cores) != {}
    assert dict(leaf.pending) == dict(pending_of(state))
    (event,) = leaf.events
    assert isinstance(event, CandidateBackedEvent)
    assert list(leaf.pending) == [event.receipt.hash()]


def test_the_block_that_ends_a_session_speaks_of_the_next_one() -> None:
    chain = RelayChain(World(validators=4, parachains=[100]))
    ending = chain.leaf(chain.add(new_session=3))
    assert ending.session.signing.session_index == 1
    assert len(ending.session.validators) == 3


def test_it_reads_nothing_before_it_is_asked_and_each_thing_once() -> None:
    _, leaf = leaf_with_a_pending_candidate()
    assert not leaf.reads
    assert leaf.session.validators
    assert set(leaf.reads) == {api.session_index_for_child, api.validators}
    for _ in range(2):
        for assignment in leaf.assignments.paras.values():
            assert leaf.basis(assignment) is not None
        assert leaf.pending and leaf.events and leaf.session
    once = (
        api.session_index_for_child,
        api.validators,
        api.validator_groups,
        api.availability_cores,
        api.candidate_events,
    )
    of_each_para = (
        api.persisted_validation_data,
        api.validation_code,
        api.acceptance_criteria,
    )
    expected: dict[object, int] = dict.fromkeys(once, 1)
    assert leaf.reads == expected | dict.fromkeys(of_each_para, 2)


@pytest.mark.guide("A73", "A80")
def test_a_para_is_judged_by_what_holds_when_its_candidate_is_included() -> None:
    chain, leaf = leaf_with_a_pending_candidate()
    state = chain.states[leaf.hash]
    pending = leaf.assignments.paras[ParaId(U32(100))]
    free = leaf.assignments.paras[ParaId(U32(101))]
    basis = leaf.basis(pending)
    assert isinstance(basis, Basis)
    candidate = api.candidate_pending_availability(state, pending.para_id)
    assert candidate is not None and list(leaf.pending) == [candidate.hash()]
    assert basis.validation_data.parent_head == candidate.commitments.head_data
    other = leaf.basis(free)
    assert other is not None
    assert other.validation_data == api.persisted_validation_data(
        state, free.para_id, OccupiedCoreAssumption.FREE
    )


def test_there_is_no_basis_for_a_para_that_nobody_registered() -> None:
    _, leaf = leaf_with_a_pending_candidate()
    nobody = ParaAssignment(
        CoreIndex(U32(0)), ParaId(U32(7)), None, OccupiedCoreAssumption.FREE, ()
    )
    assert leaf.basis(nobody) is None
