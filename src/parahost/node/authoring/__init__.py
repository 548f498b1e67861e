"""Authoring blocks: the node's own slots, and what it puts into them.

* :mod:`~parahost.node.authoring.author`: the slot loop: claim, propose, seal, import
* :mod:`~parahost.node.authoring.proposer`: a block's content (A104)
"""
