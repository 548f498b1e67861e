"""All signatures of our own keys that come from others pass one place."""

from __future__ import annotations

from parahost.crypto import ed25519, sr25519
from parahost.crypto.keystore import KeyRing, ProtectedKeyStore
from parahost.crypto.verifier import DirectVerifier
from parahost.node.own_signatures import LOOKED_AT_ONCE, WatchedVerifier
from parahost.ports import KeyType
from parahost.storage.memory import MemoryDatabase
from tests.chain.world import ManualClock

OURS, OTHERS = sr25519.Keypair.from_uri("//ours"), sr25519.Keypair.from_uri("//others")
VOTER = ed25519.Keypair.from_uri("//ours")
KEYS = KeyRing.of([(KeyType.PARACHAIN, "//ours"), (KeyType.GRANDPA, "//ours")])


class Watch:
    def __init__(self) -> None:
        self.told: list[tuple[KeyType, bytes, bytes]] = []
        self.clock = ManualClock()
        store = ProtectedKeyStore(KEYS, MemoryDatabase())
        self.verifier = WatchedVerifier(
            DirectVerifier(), store, self.clock, lambda *told: self.told.append(told)
        )


def test_a_right_signature_of_ours_is_told_and_no_other() -> None:
    watch = Watch()
    ours, others = (sr25519.sign(key, b"said") for key in (OURS, OTHERS))
    assert watch.verifier.sr25519(OTHERS.public, b"said", others)
    assert not watch.verifier.sr25519(OURS.public, b"said", others)
    assert not watch.verifier.ed25519(VOTER.public, b"said", ours)
    assert watch.told == []
    assert watch.verifier.sr25519(OURS.public, b"said", ours)
    assert watch.verifier.ed25519(VOTER.public, b"said", ed25519.sign(VOTER, b"said"))
    assert watch.told == [
        (KeyType.PARACHAIN, OURS.public, b"said"),
        (KeyType.GRANDPA, VOTER.public, b"said"),
    ]


def test_what_cannot_be_placed_is_looked_at_if_it_is_ours_and_so_much_of_it() -> None:
    """What is said to be others' is not even put together; forgeries wear the budget out for a
    while."""
    watch = Watch()
    right = sr25519.sign(OURS, b"said")
    made: list[None] = []

    def payload() -> bytes:
        made.append(None)
        return b"said"

    look = watch.verifier.look
    look(KeyType.PARACHAIN, OTHERS.public, payload, right)
    look(KeyType.GRANDPA, OURS.public, payload, right)
    assert not made
    for _ in range(LOOKED_AT_ONCE + 5):
        look(KeyType.PARACHAIN, OURS.public, payload, bytes(64))
    look(KeyType.PARACHAIN, OURS.public, payload, right)
    assert len(made) == LOOKED_AT_ONCE and not watch.told
    watch.clock.time += 1.0
    look(KeyType.PARACHAIN, OURS.public, payload, right)
    assert watch.told == [(KeyType.PARACHAIN, OURS.public, b"said")]
