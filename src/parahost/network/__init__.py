"""Peers over libp2p: the real form of ``parahost.ports.network``.

``libp2p_network.Libp2pNetwork`` is the way in. Nothing is imported here, for py-libp2p takes a
second and 60 MB: only a process that speaks to peers should pay that.
"""

import logging

# py-libp2p logs what any stranger may cause. What matters reaches us as an exception.
logging.getLogger("libp2p").addHandler(logging.NullHandler())
logging.getLogger("libp2p").propagate = False
