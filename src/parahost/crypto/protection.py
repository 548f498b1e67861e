"""The protection log (D16): what has been promised is on disk before the signature is out.

Table ``signed``: key type (4 bytes) ++ public key (32) ++ promise; the value is the payload's
blake2-256 (32) ++ the signature (64).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from parahost.crypto.hashing import blake2_256
from parahost.ports.database import Batch, Database
from parahost.ports.keystore import ContradictionRefused, KeyType

_TABLE = "signed"
MAX_PROMISE_LENGTH = 464
"""In bytes; what a key of the database leaves room for."""


class ProtectionLog:
    """Lets each key bind a promise to one payload, ever."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def sign_once(
        self,
        key_type: KeyType,
        public: bytes,
        payload: bytes,
        promises: Sequence[bytes],
        sign: Callable[[], bytes],
    ) -> bytes:
        """Bind the promises to the payload, durably, and return its signature: the stored one if
        any of them was bound to it before, else what ``sign`` makes.

        :raises ContradictionRefused: when a promise is bound to another payload; nothing is
            written then, and nothing was signed.
        :raises DatabaseError: when the log cannot be written; the signature is not given out.
        """
        payload_hash = blake2_256(payload)
        unbound: list[bytes] = []
        signature: bytes | None = None
        for promise in promises:
            if not 0 < len(promise) <= MAX_PROMISE_LENGTH:
                raise ValueError(f"a promise has 1 to {MAX_PROMISE_LENGTH} bytes")
            key = key_type.value + public + promise
            entry = self._database.get(_TABLE, key)
            if entry is None:
                unbound.append(key)
            elif entry[:32] == payload_hash:
                signature = entry[32:]
            else:
                raise ContradictionRefused(promise)
        if signature is None:
            signature = sign()
        if unbound:
            batch = Batch()
            for key in unbound:
                batch.put(_TABLE, key, payload_hash + signature)
            self._database.write(batch, durable=True)
        return signature


def move_promises(source: Database, record: Database) -> None:
    """Take over the promises that another database holds. A crash between the two writes leaves
    them in both, which changes nothing."""
    kept = dict(source.scan(_TABLE))
    if not kept:
        return
    taken, left = Batch(), Batch()
    for key, entry in kept.items():
        taken.put(_TABLE, key, entry)
        left.delete(_TABLE, key)
    record.write(taken, durable=True)
    source.write(left, durable=True)
