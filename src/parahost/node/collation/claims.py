"""Claims on the next block of a parathread: a collator asks for its turn, again and again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from parahost.node.leaf import ActiveLeaf
from parahost.node.overseer import Context
from parahost.ports import KeyStore, KeyType
from parahost.primitives.basic import CollatorId, Hash, ParaId
from parahost.primitives.header import Extrinsic
from parahost.runtime import api
from parahost.runtime.extrinsic import signed
from parahost.runtime.origin import AccountId
from parahost.runtime.parathreads import Claim

Submit = Callable[[Extrinsic], object]
"""Takes an extrinsic to the block authors; never raises and never waits. The same one may be
submitted again while it is not in a block."""


@dataclass(frozen=True, slots=True)
class Claimant:
    """Claims one parathread for one collator. A claim is an extrinsic that the collator's key
    signs, so only its collations may use it."""

    para_id: ParaId
    collator: CollatorId
    keys: KeyStore
    genesis_hash: Hash
    submit: Submit

    def claim_if_due(self, ctx: Context, leaf: ActiveLeaf) -> None:
        """Claim when on this leaf no claim on the parathread waits or is scheduled. A claim that
        never got into a block is made with the same bytes again."""
        if leaf.read(api.parathread_claimed, self.para_id) is not False:
            return
        account = AccountId(self.collator)
        nonce = leaf.read(api.account_nonce, account)
        self.submit(
            signed(
                Claim(self.para_id),
                account,
                self._sign,
                nonce=nonce,
                genesis_hash=self.genesis_hash,
            )
        )
        ctx.journal.record(
            "collation.claimed", para=self.para_id, relay_parent=leaf.hash, number=nonce
        )

    def _sign(self, payload: bytes) -> bytes:
        return self.keys.sign(KeyType.COLLATOR, self.collator, payload, [])
