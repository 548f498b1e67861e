"""The archive against a naive model, through forks, finality, time, crashes and power failures."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from parahost.node.availability.archive import BLOCKS, CHUNKS, DATA, DUE, RECORDS, Archive
from parahost.node.availability.retention import BlockNote, RelayBlock, Retention
from parahost.ports import Database
from parahost.primitives.availability import ErasureChunk
from parahost.primitives.basic import (
    H256,
    U32,
    U64,
    BlockNumber,
    CandidateHash,
    ChunkIndex,
    Hash,
    HeadData,
)
from parahost.primitives.candidates import AvailableData, PersistedValidationData, PoV
from parahost.storage.lmdb import LmdbDatabase
from parahost.storage.memory import MemoryDatabase

RETENTION = Retention(unbacked_s=0.010, pov_s=0.050, chunks_s=0.070)
CANDIDATES = [CandidateHash(H256(bytes([n]) * 32)) for n in range(4)]
INDEX = ChunkIndex(U32(3))

Fact = tuple[str, int, int, int]
"""(what, candidate, block, when)"""


def data_of(candidate: int) -> AvailableData:
    validation = PersistedValidationData(
        HeadData(b""), BlockNumber(U32(0)), H256(bytes(32)), U32(0)
    )
    return AvailableData(PoV(bytes([candidate])), validation)


def chunk_of(candidate: int) -> ErasureChunk:
    return ErasureChunk(bytes([candidate]) * 64, INDEX, ())


def block(number: int) -> RelayBlock:
    return RelayBlock(BlockNumber(U32(number)), Hash(H256(number.to_bytes(32, "big"))))


class Model:
    """All that ever happened, as a list. What is kept follows by reading it from the start."""

    def __init__(self) -> None:
        self.facts: tuple[Fact, ...] = ()
        self.lost_by_power_failure: list[tuple[Fact, ...]] = []
        """The facts before each batch that has not been synced, the oldest first."""

    def happened(self, *facts: Fact, durable: bool = False) -> None:
        if durable:
            self.lost_by_power_failure.clear()
        else:
            self.lost_by_power_failure.append(self.facts)
        self.facts += facts

    def life(self, candidate: int) -> list[Fact]:
        """What happened to the candidate since it was last pruned altogether."""
        life: list[Fact] = []
        for fact in self.facts:
            if fact[1] == candidate:
                life = [] if fact[0] == "all pruned" else [*life, fact]
        return life

    def due(self, candidate: int) -> tuple[int, str] | None:
        life = self.life(candidate)
        if not life:
            return None
        included: list[int] = []
        since, final = life[0][3], None
        for what, _, where, when in life:
            if what == "backed":
                since = max(since, when)
            elif what == "included" and where not in included:
                included.append(where)
            elif what == "final" and where in included and final is None:
                final = when
            elif what == "orphaned" and where in included:
                included.remove(where)
                since = since if included else when
        if final is not None:
            pruned = any(what == "pov pruned" for what, *_ in life)
            return (final + 70, "all pruned") if pruned else (final + 50, "pov pruned")
        return None if included else (since + 10, "all pruned")

    def has(self, candidate: int, what: str) -> bool:
        has = False
        for fact, *_ in self.life(candidate):
            if fact == what:
                has = True
            elif fact == "pov pruned" and what == "data":
                has = False
        return has

    def noted(self) -> list[int]:
        blocks: dict[int, None] = {}
        for what, _, where, _ in self.facts:
            if what == "noted":
                blocks[where] = None
            elif what == "judged":
                blocks.pop(where, None)
        return sorted(blocks)


class ArchiveMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.database = MemoryDatabase()
        self.archive = Archive(self.database, RETENTION)
        self.model = Model()
        self.now = U64(1000)

    @rule(candidate=st.integers(0, 3), what=st.sampled_from(["data", "chunk", "both"]))
    def keep(self, candidate: int, what: str) -> None:
        kinds = ["data", "chunk"] if what == "both" else [what]
        self.archive.keep(
            CANDIDATES[candidate],
            self.now,
            data=data_of(candidate) if "data" in kinds else None,
            chunks=(chunk_of(candidate),) if "chunk" in kinds else (),
        )
        new = [kind for kind in kinds if not self.model.has(candidate, kind)]
        if new:
            self.model.happened(*((k, candidate, 0, self.now) for k in new), durable=True)

    @rule(
        number=st.integers(1, 6),
        backed=st.lists(st.integers(0, 3), max_size=2, unique=True),
        included=st.lists(st.integers(0, 3), max_size=2, unique=True),
    )
    def note(self, number: int, backed: list[int], included: list[int]) -> None:
        assert self.archive.has_noted(block(number)) == (number in self.model.noted())
        if number in self.model.noted():
            return
        of = [tuple(CANDIDATES[c] for c in some) for some in (backed, included)]
        self.archive.note(block(number), BlockNote(of[0], of[1]), self.now)
        self.model.happened(
            ("noted", -1, number, self.now),
            *(("backed", c, number, self.now) for c in backed),
            *(("included", c, number, self.now) for c in included),
        )

    @rule(is_final=st.booleans(), up_to=st.integers(1, 6))
    def settle(self, is_final: bool, up_to: int) -> None:
        unsettled = self.archive.unsettled(BlockNumber(U32(up_to)))
        assert [b.number for b, _ in unsettled] == [n for n in self.model.noted() if n <= up_to]
        for judged, note in unsettled[:1]:
            self.archive.settle(judged, note, is_final=is_final, now=self.now)
            what = "final" if is_final else "orphaned"
            self.model.happened(
                ("judged", -1, judged.number, self.now),
                *((what, CANDIDATES.index(c), judged.number, self.now) for c in note.candidates()),
            )

    @rule(ms=st.integers(1, 30))
    def time_passes(self, ms: int) -> None:
        self.now = U64(self.now + ms)

    @rule()
    def prune(self) -> None:
        while entries := self.archive.due(self.now, 2):
            for entry in entries:
                candidate = CANDIDATES.index(entry[1])
                due = self.model.due(candidate)
                assert due is not None and due[0] == entry[0] <= self.now
                expired = self.archive.prune(entry, self.now)
                assert expired is not None
                self.model.happened((due[1], candidate, 0, self.now))
        for candidate in range(4):
            due = self.model.due(candidate)
            assert due is None or due[0] > self.now

    @rule(power=st.integers(0, 5))
    def crash(self, power: int) -> None:
        lose = min(power, self.database.unsynced)
        self.database = self.database.crash(lose=lose)
        if lose:
            self.model.facts = self.model.lost_by_power_failure[-lose]
        self.model.lost_by_power_failure.clear()
        self.archive = Archive(self.database, RETENTION)

    @invariant()
    def agrees(self) -> None:
        for candidate, name in enumerate(CANDIDATES):
            data, chunk = self.archive.available_data(name), self.archive.chunk(name, INDEX)
            assert data == (data_of(candidate) if self.model.has(candidate, "data") else None)
            assert chunk == (chunk_of(candidate) if self.model.has(candidate, "chunk") else None)
            record = self.archive.record(name)
            assert (record is None) == (not self.model.life(candidate))
        known = {key for key, _ in self.database.scan(RECORDS)}
        assert {key[:32] for key, _ in self.database.scan(CHUNKS)} <= known
        assert {key for key, _ in self.database.scan(DATA)} <= known
        due = {c: self.model.due(c) for c in range(len(CANDIDATES))}
        assert [key for key, _ in self.database.scan(DUE)] == sorted(
            entry[0].to_bytes(8, "big") + CANDIDATES[c] for c, entry in due.items() if entry
        )
        assert len(list(self.database.scan(BLOCKS))) == len(self.model.noted())


ArchiveMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestArchive = pytest.mark.guide("A99", "A100", "A101")(ArchiveMachine.TestCase)


@pytest.fixture(params=["memory", "lmdb"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    return MemoryDatabase() if request.param == "memory" else LmdbDatabase(tmp_path)


def test_a_changed_retention_holds_for_what_is_stored_already(database: Database) -> None:
    Archive(database, RETENTION).keep(CANDIDATES[0], U64(0), data=data_of(0), chunks=[chunk_of(0)])
    longer = Archive(database, Retention(unbacked_s=0.1))
    (entry,) = longer.due(U64(50), 9)
    assert longer.prune(entry, U64(50)) is None
    assert longer.due(U64(50), 9) == []
    assert longer.available_data(CANDIDATES[0]) == data_of(0)
    (entry,) = longer.due(U64(100), 9)
    assert longer.prune(entry, U64(100)) is not None
    for table in (DATA, CHUNKS, RECORDS, DUE):
        assert list(database.scan(table)) == []
    database.close()
