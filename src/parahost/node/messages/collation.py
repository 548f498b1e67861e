"""Collation Generation and Collation Distribution (A96, A97, D17)."""

from __future__ import annotations

from dataclasses import dataclass

from parahost.node.messages.base import Message, Reply, Request
from parahost.node.messages.network import NetworkBridgeEvent
from parahost.primitives.basic import CollatorId, Hash, ParaId, PeerId
from parahost.primitives.candidates import Collation

# To Collation Distribution, from a collator's own node


@dataclass(slots=True)
class DistributeCollation(Message):
    """Offer this collation to the validators assigned to its para."""

    relay_parent: Hash
    collation: Collation


# To Collation Distribution, on a validator


@dataclass(eq=False, slots=True)
class FetchCollation(Request[Collation | None]):
    """Fetch what was advertised; ``None`` when it did not come in time or was not what was
    promised."""

    relay_parent: Hash
    para_id: ParaId
    collator: CollatorId
    peer: PeerId


@dataclass(slots=True)
class BanCollator(Message):
    """This collator delivered an invalid collation: hear it no more for a time, and tell it why
    (A82)."""

    relay_parent: Hash
    collator: CollatorId
    reason: str


@dataclass(slots=True)
class ExplainToCollator(Message):
    """Tell this peer why its collation was not put forward, though it is not to blame."""

    relay_parent: Hash
    peer: PeerId
    reason: str


@dataclass(slots=True)
class NoteGoodCollation(Message):
    """This collator's collation was seconded."""

    relay_parent: Hash
    collator: CollatorId


@dataclass(slots=True)
class CollationRequested(Message):
    """A validator asks this collator for what it advertised."""

    peer: PeerId
    payload: bytes
    reply: Reply[bytes | None]


@dataclass(slots=True)
class CollationNetwork(Message):
    """An event of the protocol ``coll``."""

    event: NetworkBridgeEvent
