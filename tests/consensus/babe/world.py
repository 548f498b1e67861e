"""Real keys and the real checks, for tests of BABE."""

from __future__ import annotations

from parahost.consensus.babe.epochs import BabeParameters, EpochView
from parahost.crypto.keystore import KeyRing, ProtectedKeyStore
from parahost.ports import KeyType
from parahost.primitives.basic import H256, U64, BabeId
from parahost.storage.memory import MemoryDatabase

PARAMETERS = BabeParameters(U64(1000), U64(10), (U64(1), U64(4)))
NAMES = ("Alice", "Bob", "Charlie", "Dave")


def key_store(*names: str) -> ProtectedKeyStore:
    """The BABE keys of well-known names, with a log of their own."""
    ring = KeyRing.of((KeyType.BABE, f"//{name}") for name in names)
    return ProtectedKeyStore(ring, MemoryDatabase())


AUTHORITIES = tuple(
    (BabeId(H256(key)), U64(1)) for key in key_store(*NAMES).public_keys(KeyType.BABE)
)


def genesis_view(parameters: BabeParameters = PARAMETERS) -> EpochView:
    return EpochView.at_genesis(parameters, AUTHORITIES, H256(bytes(range(32))))
