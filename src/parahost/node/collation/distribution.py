"""Collation Distribution, protocol ``coll`` (A97, D17): one place on the bus, two sides.

A collator's node has the :mod:`~parahost.node.collation.collator_side`, which offers what was
made here; every other node has the :mod:`~parahost.node.collation.validator_side`, which hears
what others offer.
"""

from __future__ import annotations

from typing import ClassVar

from parahost.node.messages.backing import CollationAdvertised
from parahost.node.messages.base import Message
from parahost.node.messages.collation import (
    BanCollator,
    CollationNetwork,
    CollationRequested,
    DistributeCollation,
    ExplainToCollator,
    FetchCollation,
    NoteGoodCollation,
)
from parahost.node.messages.network import (
    RegisterEventProducer,
    RegisterRequestProducer,
    ReportPeer,
    ResolveValidators,
    SendMessage,
    SendRequest,
)
from parahost.node.overseer import Subsystem


class CollationDistribution(Subsystem):
    """What both sides have in common: their place in the message graph."""

    name = "collation-distribution"
    receives = (
        CollationNetwork,
        DistributeCollation,
        CollationRequested,
        FetchCollation,
        BanCollator,
        ExplainToCollator,
        NoteGoodCollation,
    )
    sends: ClassVar[tuple[type[Message], ...]] = (
        RegisterEventProducer,
        RegisterRequestProducer,
        SendMessage,
        SendRequest,
        ReportPeer,
        ResolveValidators,
        CollationAdvertised,
    )
