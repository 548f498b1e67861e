"""``babe_*``: who authors."""

from __future__ import annotations

from typing import Final

from parahost.consensus.babe.claims import won_slot
from parahost.consensus.babe.epochs import Epoch
from parahost.ports import KeyStore
from parahost.primitives.basic import U64, Slot
from parahost.primitives.consensus import (
    BabePreDigest,
    PrimaryPreDigest,
    SecondaryPlainPreDigest,
    SecondaryVrfPreDigest,
)
from parahost.rpc.served import CallContext, ServedNode
from parahost.rpc.table import Family
from parahost.rpc.values import Json

BABE = Family()

_KINDS: Final[dict[type[BabePreDigest], str]] = {
    PrimaryPreDigest: "primary",
    SecondaryPlainPreDigest: "secondary",
    SecondaryVrfPreDigest: "secondary_vrf",
}


@BABE.method("babe_epochAuthorship", unsafe=True, calls=100)
async def epoch_authorship(context: CallContext) -> Json:
    """Which slots of the best block's epoch this node's keys may author, by key: those that they
    have won, and those that are theirs in turn."""
    served = context.served
    epoch = _epoch(served)
    keys = served.node.ports.keystore
    claims = await served.work(lambda: _claims(epoch, keys))
    return {served.address(public): slots for public, slots in claims.items()}


def _epoch(served: ServedNode) -> Epoch:
    """The best block's; before the first block, the one that would begin now."""
    chain = served.chain
    slot = chain.slot(chain.best_hash)
    if slot is None:
        slot = chain.parameters.slot_at(served.node.ports.clock.now())
    return chain.epoch_of_child(chain.best_hash, slot)


def _claims(epoch: Epoch, keys: KeyStore) -> dict[bytes, dict[str, list[int]]]:
    claims: dict[bytes, dict[str, list[int]]] = {}
    for slot in range(epoch.start, epoch.start + epoch.parameters.epoch_length):
        won = won_slot(Slot(U64(slot)), epoch, keys)
        if won is not None:
            empty: dict[str, list[int]] = {kind: [] for kind in _KINDS.values()}
            claims.setdefault(won.public, empty)[_KINDS[won.kind]].append(slot)
    return claims
