"""parahost: the Polkadot Parachain Host in Python."""
