"""What this node has found valid, across restarts: what is checked once is not checked again."""

from __future__ import annotations

from parahost.ports import Batch, Database
from parahost.primitives.approval import Approval
from parahost.primitives.basic import SessionIndex
from parahost.primitives.scale import decode, encode
from parahost.runtime.parachains.windows import CandidateKey

OWN_CHECKS = "own checks"
REMEMBERED_SESSIONS = 6
"""For how many sessions they are kept at most; a candidate that is settled needs them no more."""


class OwnChecks:
    """Own approvals on disk. One that a power failure takes is made again, by a check."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: CandidateKey) -> Approval | None:
        """The approval that this node has signed of a candidate."""
        found = self._database.get(OWN_CHECKS, _key(key))
        return None if found is None else decode(Approval, found)

    def keep(self, key: CandidateKey, approval: Approval) -> None:
        """Remember it, and forget what is old."""
        batch = Batch()
        batch.put(OWN_CHECKS, _key(key), encode(approval))
        oldest = SessionIndex(max(key[0] - REMEMBERED_SESSIONS, 0))  # type: ignore[arg-type]
        for old, _ in self._database.scan(OWN_CHECKS):
            if old >= _session(oldest):
                break
            batch.delete(OWN_CHECKS, old)
        self._database.write(batch, durable=False)

    def forget(self, key: CandidateKey) -> None:
        """The candidate is settled."""
        if self._database.get(OWN_CHECKS, _key(key)) is not None:
            batch = Batch()
            batch.delete(OWN_CHECKS, _key(key))
            self._database.write(batch, durable=False)


def _session(session: SessionIndex) -> bytes:
    return session.to_bytes(4, "big")


def _key(key: CandidateKey) -> bytes:
    session, candidate = key
    return _session(session) + candidate
