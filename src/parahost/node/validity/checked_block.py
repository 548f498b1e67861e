"""A block whose candidates are to be checked."""

from __future__ import annotations

from dataclasses import dataclass

from parahost.primitives.basic import BlockNumber, Hash
from parahost.primitives.header import Header
from parahost.primitives.runtime_api import IncludedCandidate, SessionInfo
from parahost.runtime import api
from parahost.runtime.storage import State


@dataclass(frozen=True, slots=True)
class CheckedBlock:
    """A block, and its candidates: those that it has included, by core, then those of other forks
    that are disputed on this one and became available in it. ``sessions`` are those of the
    candidates."""

    hash: Hash
    number: BlockNumber
    parent: Hash
    candidates: tuple[IncludedCandidate, ...]
    included: int
    """So many of them, the first ones, the block has included."""
    sessions: tuple[SessionInfo, ...]
    validators: int
    """How many judge the block's children."""

    def session_of(self, candidate: IncludedCandidate) -> SessionInfo:
        """Who may check a candidate of the block."""
        return next(each for each in self.sessions if each.session_index == candidate.session)


def checked_block(state: State, block: Hash, header: Header) -> CheckedBlock:
    """What the state after a block says of its candidates."""
    included = api.included_by_block(state)
    remote = tuple(r for r in api.remote_candidates(state) if r.included_in == header.number)
    return _with_sessions(state, block, header.number, header.parent_hash, included, remote)


def unaccepted_up_to(
    state: State, number: BlockNumber
) -> dict[BlockNumber, tuple[IncludedCandidate, ...]]:
    """The candidates that blocks up to that one have included and this fork has not accepted yet,
    by block."""
    old = [each for each in api.included_candidates(state) if each.included_in <= number]
    waiting = frozenset(api.awaiting_checks(state, tuple(each.key() for each in old)))
    found: dict[BlockNumber, tuple[IncludedCandidate, ...]] = {}
    for each in old:
        if each.key() in waiting:
            found[each.included_in] = (*found.get(each.included_in, ()), each)
    return found


def checked_block_of(
    state: State, block: Hash, candidates: tuple[IncludedCandidate, ...]
) -> CheckedBlock:
    """A block below that state's, of which only these candidates, which it included, are of
    interest."""
    first = candidates[0]
    return _with_sessions(state, block, first.included_in, first.parent_hash, candidates, ())


def _with_sessions(
    state: State,
    block: Hash,
    number: BlockNumber,
    parent: Hash,
    included: tuple[IncludedCandidate, ...],
    remote: tuple[IncludedCandidate, ...],
) -> CheckedBlock:
    candidates = included + remote
    indices = dict.fromkeys(each.session for each in candidates)
    found = [api.session_info(state, index) for index in indices]
    sessions = tuple(each for each in found if each is not None)
    assert len(sessions) == len(indices), "a session is known as long as its candidates are"
    validators = len(api.validators(state))
    return CheckedBlock(block, number, parent, candidates, len(included), sessions, validators)
