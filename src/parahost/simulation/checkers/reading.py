"""Blocks and states as bytes, read by the formats that the guide and Substrate lay down (D29).

Apart from the runtime's own modules, so that what they write wrongly is not read wrongly too.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from parahost.crypto.hashing import twox_64_concat, twox_128
from parahost.primitives.basic import (
    U32,
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
from parahost.primitives.header import BABE_ENGINE, PreRuntime
from parahost.primitives.inherent import ParachainsInherentData
from parahost.primitives.scale import decode, decode_prefix
from parahost.runtime.storage import State
from parahost.simulation.record import RecordedBlock

_INHERENT_AT = 1
"""The parachains' inherent is the second extrinsic of a block."""
_CALL_AT = 3
"""After the version and two bytes that say which call it is."""


@lru_cache(maxsize=1024)
def key(pallet: str, item: str) -> bytes:
    """The storage key of a value, or the prefix of a map's keys."""
    return twox_128(pallet.encode()) + twox_128(item.encode())


def value(state: State, pallet: str, item: str, type_: Any, default: Any = None) -> Any:
    """A storage value, decoded."""
    raw = state.get_raw(key(pallet, item))
    return default if raw is None else decode(type_, raw)


def of_para(state: State, pallet: str, item: str, para: int, type_: Any) -> Any:
    """A map's value for a para, decoded; ``None`` when there is none."""
    raw = state.get_raw(key(pallet, item) + twox_64_concat(para.to_bytes(4, "little")))
    return None if raw is None else decode(type_, raw)


def paras_in(state: State, pallet: str, item: str) -> list[int]:
    """The paras for which a map has a value, ascending."""
    keys = state.keys(key(pallet, item))
    return sorted(int.from_bytes(full[-4:], "little") for full in keys)


def accounts(state: State) -> list[bytes]:
    """What is stored of each account."""
    return [raw for _, raw in state.items_raw(key("System", "Account"))]


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


__all__ = [
    "authorship",
    "code",
    "configuration",
    "disabled",
    "group_serving",
    "groups",
    "head",
    "inherent",
    "key",
    "of_para",
    "parachains",
    "paras_in",
    "pending_candidate",
    "pending_core",
    "session",
    "session_start",
    "validators",
    "value",
]
