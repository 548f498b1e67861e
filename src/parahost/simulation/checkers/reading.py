"""Blocks and states as bytes, read by the formats that the guide and Substrate lay down (D29).

Apart from the runtime's own modules, so that what they write wrongly is not read wrongly too.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from parahost.crypto.hashing import blake2_128_concat, twox_64_concat, twox_128
from parahost.primitives.basic import (
    H256,
    U32,
    U128,
    BabeId,
    CandidateHash,
    HeadData,
    ParaId,
    ValidationCode,
    ValidatorId,
)
from parahost.primitives.candidates import CandidateReceipt
from parahost.primitives.configuration import HostConfiguration
from parahost.primitives.consensus import BabeAuthorities, BabePreDigest
from parahost.primitives.disputes import DisputeOutcome, DisputeState
from parahost.primitives.header import BABE_ENGINE, PreRuntime
from parahost.primitives.inherent import ParachainsInherentData
from parahost.primitives.runtime_api import IncludedCandidate, SessionInfo
from parahost.primitives.scale import decode, decode_prefix
from parahost.primitives.validity_configuration import ValidityConfiguration
from parahost.runtime.storage import State
from parahost.simulation.record import RecordedBlock

_INHERENT_AT = 1
"""The parachains' inherent is the second extrinsic of a block."""
_CALL_AT = 3
"""After the version and two bytes that say which call it is."""


_Stake = tuple[U128, tuple[tuple[U128, U32], ...]]
"""What is active, and what unlocks since which session."""
_Checks = tuple[tuple[tuple[U32, U32, U32], ...], tuple[U32, ...], U32 | None]
"""Who is assigned, who has approved, and the block in which the candidate was accepted."""


@lru_cache(maxsize=1024)
def key(pallet: str, item: str) -> bytes:
    """The storage key of a value, or the prefix of a map's keys."""
    return twox_128(pallet.encode()) + twox_128(item.encode())


def value(state: State, pallet: str, item: str, type_: Any, default: Any = None) -> Any:
    """A storage value, decoded."""
    raw = state.get_raw(key(pallet, item))
    return default if raw is None else decode(type_, raw)


def is_frozen(state: State) -> bool:
    """Whether the fork has included a candidate that is invalid."""
    return state.get_raw(key("ParasDisputes", "Frozen")) is not None


def of_para(state: State, pallet: str, item: str, para: int, type_: Any) -> Any:
    """A map's value for a para, decoded; ``None`` when there is none."""
    raw = state.get_raw(key(pallet, item) + twox_64_concat(para.to_bytes(4, "little")))
    return None if raw is None else decode(type_, raw)


def paras_in(state: State, pallet: str, item: str) -> list[int]:
    """The paras for which a map has a value, ascending."""
    keys = state.keys(key(pallet, item))
    return sorted(int.from_bytes(full[-4:], "little") for full in keys)


def accounts(state: State) -> dict[bytes, bytes]:
    """What is stored of each account."""
    return {full[-32:]: raw for full, raw in state.items_raw(key("System", "Account"))}


def of_candidate(
    state: State, pallet: str, item: str, session: int, candidate: bytes, type_: Any
) -> Any:
    """What a map has of a candidate of a session, decoded; ``None`` when it has nothing."""
    first, second = session.to_bytes(4, "little"), candidate
    raw = state.get_raw(key(pallet, item) + twox_64_concat(first) + twox_64_concat(second))
    return None if raw is None else decode(type_, raw)


@lru_cache(maxsize=256)
def inherent(block: RecordedBlock) -> ParachainsInherentData | None:
    """What the block's author brought for the parachains; ``None`` for genesis."""
    if block.parent is None:
        return None
    extrinsic = bytes(block.extrinsics[_INHERENT_AT])
    data, _ = decode_prefix(ParachainsInherentData, extrinsic[_CALL_AT:])
    return data  # type: ignore[no-any-return]


def authorship(block: RecordedBlock) -> tuple[BabeId, int]:
    """Who made the block, by key, and in which slot."""
    claim = next(
        decode(BabePreDigest, item.data)
        for item in block.header.digest
        if isinstance(item, PreRuntime) and item.engine == BABE_ENGINE
    )
    authorities = value(block.state, "Babe", "Authorities", BabeAuthorities)
    return authorities[claim.authority_index][0], claim.slot


# Items that several checkers read


def session(state: State) -> int:
    """The session of the children of the state's block (D1)."""
    return int(value(state, "Session", "CurrentIndex", U32, 0))


def validators(state: State) -> tuple[ValidatorId, ...]:
    """Those of that session, by validator index."""
    found: tuple[ValidatorId, ...] = value(
        state, "ParaInclusion", "Validators", tuple[ValidatorId, ...], ()
    )
    return found


def groups(state: State) -> tuple[tuple[int, ...], ...]:
    found: tuple[tuple[int, ...], ...] = value(
        state, "ParaScheduler", "ValidatorGroups", tuple[tuple[U32, ...], ...], ()
    )
    return found


def session_start(state: State) -> int:
    """The block with which that session begins."""
    return int(value(state, "ParaScheduler", "SessionStartBlock", U32, 0))


def group_serving(state: State, core: int, number: int) -> tuple[int, ...]:
    """The group that serves a core in block ``number``, a child of the state's block (A33, D2)."""
    all_groups = groups(state)
    frequency = configuration(state).parachain_rotation_frequency
    rotations = (number - session_start(state)) // frequency if frequency else 0
    return all_groups[(core - rotations) % len(all_groups)]


def disabled(state: State) -> frozenset[int]:
    """The validators of that session that may not take part, by validator index."""
    worst = value(state, "ParasSlashing", "Disabled", tuple[tuple[U32, U32], ...], ())
    return frozenset(int(index) for index, _ in worst)


def parachains(state: State) -> tuple[ParaId, ...]:
    """Those with a core of their own, in the order of their cores."""
    found: tuple[ParaId, ...] = value(state, "Paras", "Parachains", tuple[ParaId, ...], ())
    return found


def configuration(state: State) -> HostConfiguration:
    found: HostConfiguration = value(state, "Configuration", "Configuration", HostConfiguration)
    return found


def head(state: State, para: int) -> HeadData | None:
    found: HeadData | None = of_para(state, "Paras", "Heads", para, HeadData)
    return found


def code(state: State, para: int) -> ValidationCode | None:
    found: ValidationCode | None = of_para(state, "Paras", "ValidationCode", para, ValidationCode)
    return found


def pending_core(state: State, para: int) -> int | None:
    """The core on which a para's candidate is pending: what its entry begins with."""
    entry = _pending(state, para)
    return None if entry is None else int.from_bytes(entry[:4], "little")


def pending_candidate(state: State, para: int) -> CandidateHash:
    """The hash of a para's pending candidate, whose receipt comes after the core."""
    entry = _pending(state, para)
    assert entry is not None, f"para {para} has no candidate pending"
    receipt, _ = decode_prefix(CandidateReceipt, entry[4:])
    return CandidateHash(receipt.hash())


def _pending(state: State, para: int) -> bytes | None:
    suffix = twox_64_concat(para.to_bytes(4, "little"))
    return state.get_raw(key("ParaInclusion", "PendingAvailability") + suffix)


# Checks, disputes and stakes


def validity(state: State) -> ValidityConfiguration:
    """The parameters of checks, disputes and penalties."""
    found: ValidityConfiguration = value(
        state, "ValidityParameters", "Current", ValidityConfiguration
    )
    return found


def session_info(state: State, session: int) -> SessionInfo | None:
    """Who may judge the session's candidates."""
    raw = state.get_raw(key("Validity", "Sessions") + twox_64_concat(session.to_bytes(4, "little")))
    return None if raw is None else decode(SessionInfo, raw)


def is_unaccepted(state: State, session: int, candidate: bytes) -> bool:
    """Whether the candidate is included, and still without all its checks."""
    if of_candidate(state, "Validity", "Included", session, candidate, IncludedCandidate) is None:
        return False
    checks = of_candidate(state, "Approvals", "Checks", session, candidate, _Checks)
    return checks is None or checks[2] is None


def dispute(state: State, session: int, candidate: bytes) -> DisputeState | None:
    found: DisputeState | None = of_candidate(
        state, "ParasDisputes", "Disputes", session, candidate, DisputeState
    )
    return found


def is_found_invalid(state: State, session: int, candidate: bytes) -> bool:
    """Whether a supermajority has found the candidate invalid: its core is free then."""
    found = dispute(state, session, candidate)
    return found is not None and found.outcome is DisputeOutcome.INVALID


def disputes(state: State) -> dict[tuple[int, CandidateHash], DisputeState]:
    """All that are remembered, by session and candidate."""
    found = {}
    for full, raw in state.items_raw(key("ParasDisputes", "Disputes")):
        session = int.from_bytes(full[40:44], "little")
        found[session, CandidateHash(H256(full[-32:]))] = decode(DisputeState, raw)
    return found


def stakes(state: State) -> dict[bytes, int]:
    """All that is at stake, by account."""
    return {full[-32:]: _stake_in(raw) for full, raw in state.items_raw(key("Staking", "Ledger"))}


@lru_cache(maxsize=1024)
def _stake_in(ledger: bytes) -> int:
    active, unlocking = decode(_Stake, ledger)
    return int(active) + sum(int(amount) for amount, _ in unlocking)


def balance(state: State, account: bytes) -> tuple[int, int]:
    """What an account has free and reserved."""
    raw = state.get_raw(key("System", "Account") + blake2_128_concat(account))
    return (0, 0) if raw is None else balance_in(raw)


def balance_in(info: bytes) -> tuple[int, int]:
    """The same of an ``AccountInfo``: behind its four counters."""
    return int.from_bytes(info[16:32], "little"), int.from_bytes(info[32:48], "little")


def issued(state: State) -> int:
    """What all accounts are to have together."""
    return int(value(state, "Balances", "TotalIssuance", U128, 0))


__all__ = [
    "authorship",
    "balance",
    "balance_in",
    "code",
    "configuration",
    "disabled",
    "dispute",
    "disputes",
    "group_serving",
    "groups",
    "head",
    "inherent",
    "is_found_invalid",
    "is_unaccepted",
    "issued",
    "key",
    "of_candidate",
    "of_para",
    "parachains",
    "paras_in",
    "pending_candidate",
    "pending_core",
    "session",
    "session_info",
    "session_start",
    "stakes",
    "validators",
    "validity",
    "value",
]
