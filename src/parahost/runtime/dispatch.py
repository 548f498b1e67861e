"""How a dispatch ends, in Substrate's forms: what it took of the block, and why it was refused."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated

from parahost.primitives.basic import U8
from parahost.primitives.scale import FixedLen, variant
from parahost.runtime.errors import (
    BadOrigin,
    DispatchError,
    ModuleError,
    TokenError,
    TokenReason,
    UnknownDestination,
)
from parahost.runtime.weights import Weight


class DispatchClass(IntEnum):
    NORMAL = 0
    """A transaction."""
    OPERATIONAL = 1
    """What a block's author may bring."""
    MANDATORY = 2
    """What it must bring."""


class Pays(IntEnum):
    YES = 0
    NO = 1


@dataclass(frozen=True, slots=True)
class DispatchInfo:
    """Substrate's account of what an extrinsic took of the block, and whether it paid."""

    weight: Weight
    class_: DispatchClass
    pays_fee: Pays


@variant(0, name="Other")
@dataclass(frozen=True, slots=True)
class OtherRefusal:
    pass


@variant(1, name="CannotLookup")
@dataclass(frozen=True, slots=True)
class CannotLookupRefusal:
    pass


@variant(2, name="BadOrigin")
@dataclass(frozen=True, slots=True)
class BadOriginRefusal:
    pass


@variant(3, name="Module")
@dataclass(frozen=True, slots=True)
class ModuleRefusal:
    """A module's own error: the module's number and the error's."""

    index: U8
    error: Annotated[bytes, FixedLen(4)]


@variant(7, name="Token", unnamed=True)
@dataclass(frozen=True, slots=True)
class TokenRefusal:
    reason: TokenReason


DispatchRefusal = (
    OtherRefusal | CannotLookupRefusal | BadOriginRefusal | ModuleRefusal | TokenRefusal
)
"""A :class:`DispatchError` in Substrate's form."""


def refusal_of(error: DispatchError) -> DispatchRefusal:
    """The stored form of an entry point's refusal."""
    if isinstance(error, BadOrigin):
        return BadOriginRefusal()
    if isinstance(error, ModuleError):
        return ModuleRefusal(U8(error.pallet.index), error.index.to_bytes(4, "little"))
    if isinstance(error, TokenError):
        return TokenRefusal(error.reason)
    if isinstance(error, UnknownDestination):
        return CannotLookupRefusal()
    return OtherRefusal()
