"""The extrinsics that a block's author makes: they open the block's body, in this order."""

from __future__ import annotations

from parahost.primitives.header import Extrinsic
from parahost.primitives.inherent import ParachainsInherentData
from parahost.runtime.extrinsic import inherent
from parahost.runtime.parachains.inclusion_inherent import InclusionCall
from parahost.runtime.parachains.validity import NoteChecks
from parahost.runtime.timestamp import SetTimestamp


def timestamp(now_ms: int) -> Extrinsic:
    """The time in milliseconds since the Unix epoch; it lies in the block's slot."""
    return inherent(SetTimestamp(now_ms))


def parachains(data: ParachainsInherentData) -> Extrinsic:
    """What the validators bring: bitfields, backed candidates, disputes (A52)."""
    return inherent(InclusionCall(data))


def checks(noted: NoteChecks) -> Extrinsic:
    """What the author knows of the checks of candidates (D22). A block may go without."""
    return inherent(noted)
