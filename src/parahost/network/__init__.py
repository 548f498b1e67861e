"""Peers over libp2p: the real form of ``parahost.ports.network``.

``libp2p_network.Libp2pNetwork`` is the way in.
"""
