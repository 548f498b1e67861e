"""Getting blocks from peers, and telling peers of ours.

* :mod:`~parahost.chain.sync.messages`: what nodes say to each other
* :mod:`~parahost.chain.sync.server`: answering peers
* :mod:`~parahost.chain.sync.peers`: what each peer has and knows
* :mod:`~parahost.chain.sync.downloads`: whether an author should wait for blocks that come
* :mod:`~parahost.chain.sync.patience`: whom to ask, by what they have delivered
* :mod:`~parahost.chain.sync.fetching`: asking one peer, and judging what it answers
* :mod:`~parahost.chain.sync.catch_up`: getting back to the head from far behind
* :mod:`~parahost.chain.sync.sync`: following the head, with all of them
"""

from parahost.chain.sync.sync import Sync

__all__ = ["Sync"]
