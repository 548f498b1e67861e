"""What a voter keeps on disk, in the table ``grandpa``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from parahost.consensus.grandpa.authorities import AuthorityState
from parahost.consensus.grandpa.blocks import BlockRef
from parahost.consensus.grandpa.messages import MAX_VOTES, CommitMessage, SignedMessage
from parahost.consensus.grandpa.votes import RoundState, Stage, stage_of
from parahost.ports import Batch, Database
from parahost.primitives.basic import U64
from parahost.primitives.consensus import GrandpaMessage
from parahost.primitives.scale import MaxLen, decode, encode

TABLE = "grandpa"
_AUTHORITIES = b"authorities"
_ROUND = b"round"
_COMMIT = b"commit"
_BALLOT = b"ballot"


@dataclass(frozen=True, slots=True)
class CompletedRound:
    """The last completed round: where a restarted voter goes on, and what it answers to those
    who catch up."""

    set_id: U64
    number: U64
    base: BlockRef
    state: RoundState
    votes: Annotated[tuple[SignedMessage, ...], MaxLen(2 * MAX_VOTES)]


class GrandpaStore:
    """Typed access to the table. Nothing here needs to be durable by itself, but the ballots:
    what is written before a durable write is durable with it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._last_commit: CommitMessage | None = None

    def authorities(self) -> AuthorityState | None:
        raw = self._database.get(TABLE, _AUTHORITIES)
        return None if raw is None else decode(AuthorityState, raw)

    def save_authorities(self, state: AuthorityState) -> None:
        self._put(_AUTHORITIES, encode(state))

    def completed(self) -> CompletedRound | None:
        raw = self._database.get(TABLE, _ROUND)
        return None if raw is None else decode(CompletedRound, raw)

    def save_completed(self, completed: CompletedRound) -> None:
        """Also forgets the ballots of that round and those before."""
        batch = Batch()
        batch.put(TABLE, _ROUND, encode(completed))
        last = ballot_key(completed.set_id, completed.number, max(Stage, key=_stage_value))
        for key, _ in self._database.scan(TABLE, prefix=_BALLOT):
            if key <= last:
                batch.delete(TABLE, key)
        self._database.write(batch, durable=False)

    def commit(self, set_id: int) -> CommitMessage | None:
        """The last commit of a set; for a set of the past, the one that ended it."""
        if self._last_commit is not None and self._last_commit.set_id == set_id:
            return self._last_commit
        raw = self._database.get(TABLE, _COMMIT + _be(set_id))
        return None if raw is None else decode(CommitMessage, raw)

    def save_commit(self, commit: CommitMessage) -> None:
        self._put(_COMMIT + _be(commit.set_id), encode(commit))
        self._last_commit = commit

    def ballot(self, set_id: int, round_number: int, stage: Stage) -> GrandpaMessage | None:
        """What this node has decided to say at that stage of that round."""
        raw = self._database.get(TABLE, ballot_key(set_id, round_number, stage))
        return None if raw is None else decode(GrandpaMessage, raw)

    def save_ballot(self, set_id: int, round_number: int, message: GrandpaMessage) -> None:
        batch = Batch()
        key = ballot_key(set_id, round_number, stage_of(message))
        batch.put(TABLE, key, encode(message, GrandpaMessage))
        self._database.write(batch, durable=True)

    def _put(self, key: bytes, value: bytes) -> None:
        batch = Batch()
        batch.put(TABLE, key, value)
        self._database.write(batch, durable=False)


def _be(number: int) -> bytes:
    return number.to_bytes(8, "big")


def _stage_value(stage: Stage) -> int:
    return stage.value


def ballot_key(set_id: int, round_number: int, stage: Stage) -> bytes:
    """Names a stage of a round of a set. Ascending."""
    return _BALLOT + _be(set_id) + _be(round_number) + bytes([stage.value])
