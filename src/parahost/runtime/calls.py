"""Every call of the runtime, and what kind of extrinsic carries it.

A call's SCALE form begins with its module's number and its own, as in Substrate.
"""

from __future__ import annotations

from typing import Final, get_args

from parahost.runtime.babe import ReportBabeEquivocation
from parahost.runtime.grandpa import ReportGrandpaEquivocation
from parahost.runtime.pallets import Pallet
from parahost.runtime.parachains.inclusion_inherent import Inclusion
from parahost.runtime.parathreads import Claim
from parahost.runtime.sudo import GovernedCall, SetKey, SudoCall
from parahost.runtime.timestamp import SetTimestamp

InherentCall = SetTimestamp | Inclusion
"""What the author puts into each block."""

ReportCall = ReportBabeEquivocation | ReportGrandpaEquivocation
"""What needs no signature, because it proves itself."""

RuntimeCall = InherentCall | ReportCall | GovernedCall | Claim | SudoCall | SetKey

INHERENTS: Final = get_args(InherentCall)
"""The inherents in the order in which they open each block's body, each exactly once."""

REPORTS: Final = get_args(ReportCall)


def pallet_of(call: RuntimeCall | type) -> Pallet:
    """The module that a call, or a class of calls, belongs to."""
    tag: bytes = call.__scale_tag__  # type: ignore[union-attr]
    return Pallet(tag[0])


def name_of(call: RuntimeCall | type) -> str:
    """For people: ``Timestamp.SetTimestamp``."""
    cls = call if isinstance(call, type) else type(call)
    return f"{pallet_of(cls).name}.{cls.__name__}"
