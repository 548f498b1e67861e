"""parahost: the Polkadot Parachain Host in Python."""

__version__ = "0.1.0"
