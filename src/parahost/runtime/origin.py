"""Who makes a call. Every entry point declares its origin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

from parahost.primitives.basic import H256

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
