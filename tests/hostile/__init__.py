"""Hostile peers as a part of the product: what strangers may try, tried on a real network.

``peer``: a peer on the real network stack that can do anything. ``repertoire``: the attacks.
``python -m tests.hostile`` carries them out against any nodes. ``observed`` runs a devnet and tells
how it fares, by its journals; ``verdicts`` judge that.
"""
