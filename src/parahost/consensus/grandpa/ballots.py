"""Casting votes that never contradict earlier ones (D16)."""

from __future__ import annotations

from collections import Counter

from parahost.consensus.grandpa.messages import SignedMessage, payload_of
from parahost.consensus.grandpa.store import GrandpaStore
from parahost.consensus.grandpa.votes import Stage, stage_of
from parahost.ports import ContradictionRefused, KeyStore, KeyType, promises
from parahost.primitives.basic import H256, H512, GrandpaId, GrandpaSignature
from parahost.primitives.consensus import GrandpaMessage


class Ballots:
    """Casts this node's votes.

    A decision is on disk before it is signed, and the key store signs one message for each stage
    of each round ever. So a voter that crashed at any point says the same again; one that lost
    its disk but not its key log stays silent where it may have spoken.
    """

    def __init__(self, store: GrandpaStore, keystore: KeyStore) -> None:
        self._store = store
        self._keystore = keystore
        self.cast_of: Counter[Stage] = Counter()
        """Votes that were signed since the start, by stage."""

    def keys_held(self) -> list[GrandpaId]:
        """The GRANDPA keys of this node."""
        return [GrandpaId(H256(key)) for key in self._keystore.public_keys(KeyType.GRANDPA)]

    def cast(
        self, key: GrandpaId, set_id: int, round_number: int, message: GrandpaMessage
    ) -> SignedMessage | None:
        """Sign the message, or the one that was decided on earlier at that stage of the round;
        ``None`` when another one may have been signed."""
        stage = stage_of(message)
        decided = self._store.ballot(set_id, round_number, stage)
        if decided is None:
            self._store.save_ballot(set_id, round_number, message)
            decided = message
        payload = payload_of(decided, round_number, set_id)
        promise = promises.vote(set_id, round_number, stage)
        try:
            signature = self._keystore.sign(KeyType.GRANDPA, key, payload, [promise])
        except ContradictionRefused:
            return None
        self.cast_of[stage] += 1
        return SignedMessage(decided, GrandpaSignature(H512(signature)), key)
