"""Candidates that await availability, with what their chunks need to find their way (A89)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from parahost.primitives.basic import H256, CandidateHash, ValidatorId, ValidatorIndex
from parahost.primitives.runtime_api import CoreState, OccupiedCore
from parahost.runtime import api
from parahost.runtime.storage import State


@dataclass(frozen=True, slots=True)
class PendingCandidate:
    """A candidate that awaits availability, with the session that backed it: cores are cleared
    when a session ends, so it is the session of the children of the block whose state has it."""

    hash: CandidateHash
    erasure_root: H256
    validators: tuple[ValidatorId, ...]
    backers: tuple[ValidatorIndex, ...]
    """The members of the backing group, some of whom hold the data."""


def pending_candidates(
    cores: Sequence[CoreState],
    validators: tuple[ValidatorId, ...],
    groups: Sequence[tuple[ValidatorIndex, ...]],
) -> Mapping[CandidateHash, PendingCandidate]:
    """What occupies the cores of a session."""
    return {
        core.candidate_hash: PendingCandidate(
            core.candidate_hash,
            core.candidate_descriptor.erasure_root,
            validators,
            groups[core.group_responsible],
        )
        for core in cores
        if isinstance(core, OccupiedCore)
    }


def pending_of(state: State) -> Mapping[CandidateHash, PendingCandidate]:
    """What is pending in a block's state: a question for a ``RuntimeCall``."""
    groups = api.validator_groups(state).groups
    return pending_candidates(api.availability_cores(state), api.validators(state), groups)
