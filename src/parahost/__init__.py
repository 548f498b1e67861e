"""parahost: the Polkadot Parachain Host in Python."""

import logging

__version__ = "0.1.0"

# What modules log is for who asks: a node's journal does. Nothing is printed by itself.
logging.getLogger("parahost").addHandler(logging.NullHandler())
