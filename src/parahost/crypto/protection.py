"""The protection log (D16): what has been promised is on disk before the signature is out.

Table ``signed``: key type (4 bytes) ++ public key (32) ++ the promise's name; the value is
blake2-256 of what the promise says (32; of the payload, when it says nothing else) ++ the signature
with which it was given (64).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from parahost.crypto.hashing import blake2_256
from parahost.ports.database import Batch, Database
from parahost.ports.keystore import ContradictionRefused, KeyType, Said
from parahost.ports.promises import Promise, Subject

_TABLE = "signed"
_NAME_AT = 4 + 32
_UNKNOWN = bytes(32)
"""In place of a hash: something was said, and nobody knows what. Nothing else may be said then."""


class ProtectionLog:
    """Lets each key say one thing of a subject, ever."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._begun_here: dict[bytes, bool] = {}
        """Of each key that something was asked of: whether the log had nothing of it then."""

    def sign_once(
        self,
        key_type: KeyType,
        public: bytes,
        payload: bytes,
        promises: Sequence[Promise],
        sign: Callable[[], bytes],
    ) -> bytes:
        """Bind the promises, durably, and return the payload's signature: the stored one if it was
        signed under any of them before, else what ``sign`` makes. What was signed before may be
        out, so to give it again breaks nothing.

        :raises ContradictionRefused: when something else was said of a subject; nothing is
            written then, and nothing was signed.
        :raises DatabaseError: when the log cannot be written; the signature is not given out.
        """
        self._is_begun_here(key_type, public)
        payload_hash = blake2_256(payload)
        signature: bytes | None = None
        unbound: dict[bytes, bytes] = {}
        contradicted: list[Promise] = []
        for promise in promises:
            key = key_type.value + public + promise.name
            said: bytes = payload_hash if promise.says is None else blake2_256(promise.says)
            entry = self._database.get(_TABLE, key)
            if entry is None:
                unbound[key] = said
            elif entry[:32] != said:
                contradicted.append(promise)
            elif promise.says is None:
                signature = entry[32:]
        if signature is None:
            if contradicted:
                raise ContradictionRefused(contradicted[0])
            signature = sign()
        if unbound:
            batch = Batch()
            for key, said in unbound.items():
                batch.put(_TABLE, key, said + signature)
            self._database.write(batch, durable=True)
        return signature

    def said(
        self, key_type: KeyType, public: bytes, payload: bytes, promises: Sequence[Promise]
    ) -> Said:
        """What is known of a payload that the key has signed, here or elsewhere. Where a promise
        binds the payload itself, nothing less than that tells that it was signed here."""
        owner, payload_hash = key_type.value + public, blake2_256(payload)
        begun_here = self._is_begun_here(key_type, public)
        verdicts: list[bool] = []
        payloads: list[bool] = []
        for promise in promises:
            entry = self._database.get(_TABLE, owner + promise.name)
            said = payload_hash if promise.says is None else blake2_256(promise.says)
            if entry is not None and entry[:32] not in (said, _UNKNOWN):
                return Said.OTHERWISE
            (payloads if promise.says is None else verdicts).append(entry is not None)
        if any(payloads or verdicts):
            return Said.BY_US
        return Said.UNKNOWN if begun_here else Said.NOT_BY_US

    def _is_begun_here(self, key_type: KeyType, public: bytes) -> bool:
        """Whether all that the log has of the key was signed since it was opened: an earlier one
        may be lost."""
        owner = key_type.value + public
        if owner not in self._begun_here:
            self._begun_here[owner] = next(self._database.scan(_TABLE, prefix=owner), None) is None
        return self._begun_here[owner]


def move_promises(source: Database, record: Database) -> None:
    """Take over the promises that another database holds, completed as by :func:`name_verdicts`.
    A crash between the two writes leaves them in both, which changes nothing."""
    kept = dict(source.scan(_TABLE))
    if not kept:
        return
    taken, left = Batch(), Batch()
    for key, entry in (_verdicts_behind(kept, record) | kept).items():
        taken.put(_TABLE, key, entry)
    for key in kept:
        left.delete(_TABLE, key)
    record.write(taken, durable=True)
    source.write(left, durable=True)


def name_verdicts(record: Database) -> None:
    """Complete what an earlier version has kept: its statements bind no verdict on their
    candidates. What they say cannot be told from a hash, so no verdict that is not out already is
    given on these candidates any more."""
    batch = Batch()
    for key, entry in _verdicts_behind(dict(record.scan(_TABLE)), record).items():
        batch.put(_TABLE, key, entry)
    if batch.changes:
        record.write(batch, durable=True)


def _verdicts_behind(entries: Mapping[bytes, bytes], record: Database) -> dict[bytes, bytes]:
    """The verdicts that statements among the entries imply, as far as the record has none."""
    found = {}
    for key, entry in entries.items():
        owner, name = key[:_NAME_AT], key[_NAME_AT:]
        if name.startswith(Subject.STATEMENT.value):
            verdict = owner + Subject.VERDICT.value + name[-32:]
            if record.get(_TABLE, verdict) is None:
                found[verdict] = _UNKNOWN + entry[32:]
    return found
