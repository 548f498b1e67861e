"""What collators and validators say to each other: declare, advertise, request, deliver (D17)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from parahost.node.protocols import COLLATION_REQUEST
from parahost.primitives.basic import U32, CollatorId, CollatorSignature, Hash, ParaId, PeerId
from parahost.primitives.candidates import Collation
from parahost.primitives.scale import MaxLen, variant

MAX_REASON_BYTES = 256
"""Of a validator's words to a collator, in UTF-8."""
DECLARE_DOMAIN = b"CDCL"
FETCH_BASE_S = 1.0
"""How long a collation may take to come (D17) ..."""
FETCH_BYTES_PER_S = 5 * 1024 * 1024
"""... and a second more for each so many bytes that were advertised: a 10 MiB PoV has 3 s. A
collator on a line slower than 40 Mbit/s cannot serve a group within a slot anyhow."""


@variant(0)
@dataclass(frozen=True, slots=True)
class Declare:
    """Once per connection: who the peer collates as, and for which para. The signature is over
    :func:`declare_payload`, so nobody can borrow another's declaration."""

    collator: CollatorId
    para_id: ParaId
    signature: CollatorSignature


@variant(1)
@dataclass(frozen=True, slots=True)
class Advertise:
    """There is a collation on that relay parent. ``size`` is its length in bytes, and with it how
    long it may take to come."""

    relay_parent: Hash
    size: U32


@variant(2)
@dataclass(frozen=True, slots=True)
class Refused:
    """A validator tells a collator why it does not put a collation forward, or, without a relay
    parent, that it does not hear the collator. ``ban_s``: for so many seconds from now."""

    relay_parent: Hash | None
    reason: Annotated[str, MaxLen(MAX_REASON_BYTES)]
    ban_s: U32


CollationGossip = Declare | Advertise | Refused


@dataclass(frozen=True, slots=True)
class CollationFetch:
    """The request; the answer is a SCALE ``Collation``."""

    relay_parent: Hash
    para_id: ParaId


def declare_payload(para_id: ParaId, peer: PeerId) -> bytes:
    """What a collator signs to be known by: domain, para (u32), and the peer id that it has."""
    return DECLARE_DOMAIN + para_id.to_bytes(4, "little") + peer.encode()


def refused(relay_parent: Hash | None, reason: str, ban_s: float = 0.0) -> Refused:
    """The message, with as much of the reason as there is room for."""
    cut = reason.encode("utf-8", "replace")[:MAX_REASON_BYTES].decode("utf-8", "ignore")
    return Refused(relay_parent, cut, U32(math.ceil(ban_s)))


def fetch_time_s(size: int) -> float:
    """How long to wait for a collation that was advertised with so many bytes."""
    return min(FETCH_BASE_S + size / FETCH_BYTES_PER_S, COLLATION_REQUEST.timeout_s)


def broken_promise(
    collation: Collation, relay_parent: Hash, para_id: ParaId, collator: CollatorId
) -> str | None:
    """In what a delivered collation is not the one that was advertised; ``None`` when it is."""
    descriptor = collation.receipt.descriptor
    if descriptor.relay_parent != relay_parent:
        return "it is for another relay parent"
    if descriptor.para_id != para_id:
        return f"it is of para {descriptor.para_id}"
    if descriptor.collator != collator:
        return "it is another collator's"
    if descriptor.pov_hash != collation.pov.hash():
        return "its PoV is not the one that its descriptor names"
    return None
