"""Disputing on a fork what only another fork has included, and nobody has decided (A59, D24).

It takes a transaction, and so an account: whoever has voted against the candidate, and holds an
account's key, brings it. The transaction is good on descendants of one block alone; where the
candidate is included nobody pays for it. There is one at a time, as they have to be in the order of
the account's nonces; and none that the fork would refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from parahost.node.leaf import ActiveLeaf
from parahost.node.validity.disputes.record import Dispute, IncludedAt
from parahost.ports import KeyStore, KeyType
from parahost.primitives.basic import H256, BlockNumber, Hash, ValidationCode
from parahost.primitives.header import Extrinsic, Header
from parahost.primitives.remote_disputes import RemoteDispute
from parahost.runtime import api
from parahost.runtime.extrinsic import MortalEra, signed
from parahost.runtime.origin import AccountId
from parahost.runtime.parachains.remote_disputes import DisputeRemotely
from parahost.runtime.parachains.windows import CandidateKey

LIFETIME: Final = 64
"""Blocks in which the transaction may be included; then it is made anew."""


@dataclass(frozen=True, slots=True)
class Brought:
    """A transaction, made on a block of that number."""

    at: BlockNumber
    nonce: int


@dataclass(slots=True)
class RemoteDisputing:
    """What this node has brought by transactions. ``submit`` takes one to the block authors."""

    keys: KeyStore
    genesis_hash: Hash
    submit: Callable[[Extrinsic], None]
    _brought: dict[CandidateKey, Brought] = field(default_factory=dict)
    """Those whose lifetime is not over."""

    def lacked(self, leaf: ActiveLeaf, disputes: Collection[Dispute]) -> list[Dispute]:
        """Those of the disputes that the leaf's fork knows nothing of, and takes one of now."""
        if not disputes or not self.keys.public_keys(KeyType.ACCOUNT) or self._waits(leaf):
            return []
        known = {key for key, _ in (*leaf.read(api.disputes), *leaf.read(api.remote_disputes))}
        known.update(record.key() for record in leaf.read(api.included_candidates))
        return [
            each
            for each in disputes
            if each.key not in known
            and each.key not in self._brought
            and any(
                leaf.read(api.may_dispute_remotely, each.key[0], validator)
                for validator in sorted(each.votes.invalid)
            )
        ]

    def _waits(self, leaf: ActiveLeaf) -> bool:
        """Whether the last transaction is good still, and not taken there."""
        self._brought = {
            key: each for key, each in self._brought.items() if leaf.number < each.at + LIFETIME
        }
        nonce = leaf.read(api.account_nonce, self._account())
        return any(each.nonce == nonce for each in self._brought.values())

    def _account(self) -> AccountId:
        return AccountId(H256(self.keys.public_keys(KeyType.ACCOUNT)[0]))

    def bring(
        self,
        leaf: ActiveLeaf,
        dispute: Dispute,
        included: IncludedAt,
        header: Header,
        code: ValidationCode | None,
    ) -> None:
        """Dispute it on the leaf's fork. ``header`` is that of the including block; ``code``, the
        one that judges the candidate, unless this fork has it."""
        assert dispute.receipt is not None, "what is included is known"
        call = DisputeRemotely(
            RemoteDispute(
                receipt=dispute.receipt,
                session=dispute.key[0],
                core=included.core,
                including_header=header,
                code=code,
                statements=tuple(dispute.statements.values()),
            )
        )
        account = self._account()
        nonce = leaf.read(api.account_nonce, account)
        self._brought[dispute.key] = Brought(leaf.number, nonce)
        self.submit(
            signed(
                call,
                account,
                partial(self._sign, account),
                nonce=nonce,
                genesis_hash=self.genesis_hash,
                era=MortalEra.around(leaf.number, LIFETIME),
                era_hash=leaf.hash,
            )
        )

    def _sign(self, public: bytes, payload: bytes) -> bytes:
        return self.keys.sign(KeyType.ACCOUNT, public, payload, [])
