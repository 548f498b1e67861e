"""The relay chain's blocks: which there are, which is best, what is final, what state each left.

* :mod:`~parahost.chain.chain`: the facade; what other rooms use
* :mod:`~parahost.chain.reading`: what may be asked of it
* :mod:`~parahost.chain.tree`: the blocks since the final one, and fork choice
* :mod:`~parahost.chain.store`: what is on disk
* :mod:`~parahost.chain.states`: the state after any recent block
* :mod:`~parahost.chain.sync`: getting blocks from peers and telling peers of ours
* :mod:`~parahost.chain.pool`: transactions that wait for a block
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from parahost.facade import on_first_use

if TYPE_CHECKING:
    from parahost.chain.chain import Chain, ChainEvent
    from parahost.chain.errors import (
        BelowFinality,
        DamagedDatabase,
        ForeignDatabase,
        ImportRefused,
        StateUnavailable,
        UnknownBlock,
    )
    from parahost.chain.importing import Importer

__all__ = [
    "BelowFinality",
    "Chain",
    "ChainEvent",
    "DamagedDatabase",
    "ForeignDatabase",
    "ImportRefused",
    "Importer",
    "StateUnavailable",
    "UnknownBlock",
]

__getattr__ = on_first_use(__name__, __all__, ("chain", "errors", "importing"))
