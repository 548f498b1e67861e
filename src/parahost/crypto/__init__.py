"""Hashes, sr25519 and ed25519 keys, Merlin transcripts, the VRF, and the key store."""
