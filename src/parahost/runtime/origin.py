"""Who makes a call. Every entry point begins by ensuring its origin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

from parahost.primitives.basic import H256
from parahost.runtime.errors import BadOrigin

AccountId = NewType("AccountId", H256)
"""An sr25519 public key that signs extrinsics."""


@dataclass(frozen=True, slots=True)
class Root:
    """Governance."""


@dataclass(frozen=True, slots=True)
class Signed:
    """An account that has signed the extrinsic."""

    account: AccountId


@dataclass(frozen=True, slots=True)
class NoOrigin:
    """Nobody: an inherent of the block's author, or a report that proves itself."""


Origin = Root | Signed | NoOrigin


def ensure_root(origin: Origin) -> None:
    """:raises BadOrigin: unless governance calls."""
    if not isinstance(origin, Root):
        raise BadOrigin("Root", origin)


def ensure_signed(origin: Origin) -> AccountId:
    """The account that signed.

    :raises BadOrigin: unless one has.
    """
    if not isinstance(origin, Signed):
        raise BadOrigin("Signed", origin)
    return origin.account


def ensure_none(origin: Origin) -> None:
    """:raises BadOrigin: unless nobody calls."""
    if not isinstance(origin, NoOrigin):
        raise BadOrigin("NoOrigin", origin)
