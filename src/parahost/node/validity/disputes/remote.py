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
    """A transaction with which a candidate is disputed, made on block ``on`` of number ``at``."""

    key: CandidateKey
    at: BlockNumber
    on: Hash
    nonce: int

    def is_good_on(self, leaf: ActiveLeaf) -> bool:
        """Whether it may be included there: a fork that leaves its block never takes it."""
        return self.on == leaf.hash or leaf.read(api.block_hash, self.at) == self.on


@dataclass(slots=True)
class RemoteDisputing:
    """What this node has brought by transactions. ``submit`` takes one to the block authors, if it
    is good on the best block."""

    keys: KeyStore
    genesis_hash: Hash
    submit: Callable[[Extrinsic], bool]
    _brought: list[Brought] = field(default_factory=list)
    """Those whose lifetime is not over."""

    def lacked(self, leaf: ActiveLeaf, disputes: Collection[Dispute]) -> list[Dispute]:
        """Those of the disputes that the leaf's fork knows nothing of, and takes one of now."""
        if not disputes or not self.keys.public_keys(KeyType.ACCOUNT):
            return []
        tried = self._tried(leaf)
        nonce = leaf.read(api.account_nonce, self._account())
        if any(each.nonce == nonce for each in tried):
            return []  # the last one is good still, and not taken
        known = {key for key, _ in (*leaf.read(api.disputes), *leaf.read(api.remote_disputes))}
        known.update(record.key() for record in leaf.read(api.included_candidates))
        known.update(each.key for each in tried)
        return [
            each
            for each in disputes
            if each.key not in known
            and any(
                leaf.read(api.may_dispute_remotely, each.key[0], validator)
                for validator in sorted(each.votes.invalid)
            )
        ]

    def _tried(self, leaf: ActiveLeaf) -> list[Brought]:
        """What was brought on the leaf's fork, and may be included there still, or has been."""
        self._brought = [each for each in self._brought if leaf.number < each.at + LIFETIME]
        return [each for each in self._brought if each.is_good_on(leaf)]

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
        one that judges the candidate, unless this fork has it. What is not taken, as the fork is
        not the best one yet, is lacked there again."""
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
        transaction = signed(
            call,
            account,
            partial(self._sign, account),
            nonce=nonce,
            genesis_hash=self.genesis_hash,
            era=MortalEra.around(leaf.number, LIFETIME),
            era_hash=leaf.hash,
        )
        if self.submit(transaction):
            self._brought.append(Brought(dispute.key, leaf.number, leaf.hash, nonce))

    def _sign(self, public: bytes, payload: bytes) -> bytes:
        return self.keys.sign(KeyType.ACCOUNT, public, payload, [])
