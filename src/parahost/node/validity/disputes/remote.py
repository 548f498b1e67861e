"""Disputing on a fork what only another fork has included, and nobody has decided (A59, D24).

It takes a transaction, and so an account: whoever has voted against the candidate, and holds an
account's key, brings it. The transaction is good on descendants of one block alone; where the
candidate is included nobody pays for it.
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


@dataclass(slots=True)
class RemoteDisputing:
    """What this node has brought by transactions. ``submit`` takes one to the block authors."""

    keys: KeyStore
    genesis_hash: Hash
    submit: Callable[[Extrinsic], None]
    _brought: dict[CandidateKey, BlockNumber] = field(default_factory=dict)

    def lacked(self, leaf: ActiveLeaf, disputes: Collection[Dispute]) -> list[Dispute]:
        """Those of the disputes that the leaf's fork knows nothing of."""
        if not disputes or not self.keys.public_keys(KeyType.ACCOUNT):
            return []
        known = {key for key, _ in (*leaf.read(api.disputes), *leaf.read(api.remote_disputes))}
        known.update(record.key() for record in leaf.read(api.included_candidates))
        first = leaf.read(api.earliest_judged_session)
        current = leaf.session.signing.session_index
        return [
            each
            for each in disputes
            if each.key not in known
            and first <= each.key[0] <= current
            and leaf.number >= self._brought.get(each.key, -LIFETIME) + LIFETIME
        ]

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
        public = self.keys.public_keys(KeyType.ACCOUNT)[0]
        account = AccountId(H256(public))
        self._brought[dispute.key] = leaf.number
        self.submit(
            signed(
                call,
                account,
                partial(self._sign, public),
                nonce=leaf.read(api.account_nonce, account),
                genesis_hash=self.genesis_hash,
                era=MortalEra.around(leaf.number, LIFETIME),
                era_hash=leaf.hash,
            )
        )

    def _sign(self, public: bytes, payload: bytes) -> bytes:
        return self.keys.sign(KeyType.ACCOUNT, public, payload, [])
