"""What keys have promised outlives the chain's database, and what is lost is noticed (D36)."""

from __future__ import annotations

import shutil
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from parahost.cli.main import run
from parahost.crypto.keystore import KeyDirectory, ProtectedKeyStore
from parahost.ports import (
    Batch,
    ContradictionRefused,
    DatabaseError,
    KeysNotKept,
    KeyStore,
    KeyType,
    promises,
)
from parahost.primitives.basic import H256, U64, CandidateHash, Hash, Slot
from parahost.process.base_path import BasePath
from parahost.process.promises import GuardedKeys, open_keys
from parahost.storage import LmdbDatabase, MemoryDatabase

BOUND = (KeyType.BABE, KeyType.GRANDPA, KeyType.PARACHAIN)
"""The roles that sign what a validator must never contradict: blocks, votes, statements."""
PROMISE = promises.block(Slot(U64(7)))


@pytest.fixture
def base(tmp_path: Path) -> BasePath:
    found = BasePath(tmp_path / "validator")
    keys = KeyDirectory(found.keystore)
    for role in (*BOUND, KeyType.COLLATOR):
        keys.insert(role, "//Alice")
    return found


class Life:
    """One life of a node, as far as its keys go."""

    def __init__(self, base: BasePath) -> None:
        self._base = base
        self._resources = ExitStack()
        self.guarded: GuardedKeys

    def __enter__(self) -> Life:
        database = self._resources.enter_context(closing(LmdbDatabase(self._base.database)))
        keys = KeyDirectory(self._base.keystore).load()
        self.guarded = open_keys(self._base, keys, database, self._resources)
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    @property
    def store(self) -> KeyStore:
        return self.guarded.store

    def sign(self, role: KeyType, payload: bytes) -> bytes:
        return self.store.sign(role, self.store.public_keys(role)[0], payload, [PROMISE])

    @property
    def withholds(self) -> bool:
        return all(not self.store.public_keys(role) for role in BOUND)


def sign_all(base: BasePath, payload: bytes) -> None:
    with Life(base) as life:
        assert life.guarded.incomplete is None
        for role in BOUND:
            life.sign(role, payload)


def assert_withheld(base: BasePath, why: str) -> None:
    for _ in range(2):  # starting again changes nothing
        with Life(base) as life:
            assert life.withholds
            assert why in str(life.guarded.incomplete)
            assert "keys reset-promises" in str(life.guarded.incomplete)
            life.sign(KeyType.COLLATOR, b"a collation")


def test_the_chain_may_be_removed_and_promises_stay(base: BasePath) -> None:
    sign_all(base, b"block A")
    shutil.rmtree(base.database)
    with Life(base) as life:
        for role in BOUND:
            with pytest.raises(ContradictionRefused):
                life.sign(role, b"block B")
            life.sign(role, b"block A")


def test_a_record_that_is_gone_is_missed(base: BasePath) -> None:
    sign_all(base, b"block A")
    shutil.rmtree(base.promises)
    assert_withheld(base, "it is gone")


def test_an_unreadable_mark_is_a_mark(base: BasePath) -> None:
    """It says that the keys have been used, though not with which record."""
    sign_all(base, b"block A")
    base.promises_mark.write_text("\x00\x00\x00")
    assert_withheld(base, "other keys")
    shutil.rmtree(base.promises)
    assert_withheld(base, "it is gone")


def test_a_record_keeps_its_name_when_the_mark_is_lost(base: BasePath) -> None:
    """Keys and record may have been saved at different times."""
    sign_all(base, b"block A")
    mark = base.promises_mark.read_bytes()
    base.promises_mark.unlink()
    sign_all(base, b"block A")
    assert base.promises_mark.read_bytes() == mark


def test_a_damaged_record_is_not_believed(base: BasePath, tmp_path: Path) -> None:
    """One flipped bit early in the journal; what was synced after it is whole (and was dropped
    without a word once)."""
    running = Life(base)
    with running:
        for role in BOUND:
            running.sign(role, b"block A")
        killed = tmp_path / "killed"
        shutil.copytree(base.root, killed)
    journal = killed / "promises" / "journal"
    content = bytearray(journal.read_bytes())
    content[60] ^= 1
    journal.write_bytes(content)
    assert_withheld(BasePath(killed), "not whole")
    assert journal.read_bytes() == content, "nothing is lost by looking"


def test_a_cut_record_is_not_believed(base: BasePath) -> None:
    sign_all(base, b"block A")
    with (base.promises / "data.mdb").open("r+b") as file:
        file.truncate(5000)
    assert_withheld(base, "data.mdb")


def test_keys_that_came_from_another_node_with_its_mark(base: BasePath, tmp_path: Path) -> None:
    sign_all(base, b"block A")
    other = BasePath(tmp_path / "other")
    shutil.copytree(base.keystore, other.keystore)
    assert_withheld(other, "it is gone")


def test_the_record_of_other_keys(base: BasePath, tmp_path: Path) -> None:
    sign_all(base, b"block A")
    other = BasePath(tmp_path / "other")
    KeyDirectory(other.keystore).insert(KeyType.BABE, "//Bob")
    with Life(other) as life:
        life.sign(KeyType.BABE, b"block")
    shutil.rmtree(base.promises)
    shutil.copytree(other.promises, base.promises)
    assert_withheld(base, "other keys")


def test_the_operator_decides(base: BasePath, capsys: pytest.CaptureFixture[str]) -> None:
    sign_all(base, b"block A")
    shutil.rmtree(base.promises)
    assert_withheld(base, "it is gone")
    assert run(("keys", "reset-promises", "--base-path", str(base.root))) == 0
    aside = base.root / "promises.old-1"
    assert str(aside) in capsys.readouterr().out
    assert aside.is_dir()
    sign_all(base, b"block B")
    sign_all(base, b"block B")


def test_a_record_in_use_is_not_reset(base: BasePath, capsys: pytest.CaptureFixture[str]) -> None:
    with Life(base):
        assert run(("keys", "reset-promises", "--base-path", str(base.root))) != 0
        assert "open already" in capsys.readouterr().err
    sign_all(base, b"block A")


def test_promises_of_an_earlier_version_move_over(base: BasePath) -> None:
    """They were in the chain's database."""
    keys = KeyDirectory(base.keystore).load()
    with closing(LmdbDatabase(base.database)) as database:
        store = ProtectedKeyStore(keys, database)
        store.sign(KeyType.BABE, keys.public_keys(KeyType.BABE)[0], b"block A", [PROMISE])
    for _ in range(2):
        with Life(base) as life, pytest.raises(ContradictionRefused):
            life.sign(KeyType.BABE, b"block B")
    shutil.rmtree(base.database)
    with Life(base) as life, pytest.raises(ContradictionRefused):
        life.sign(KeyType.BABE, b"block B")


def test_a_node_without_keys_gets_some_later(tmp_path: Path) -> None:
    base = BasePath(tmp_path)
    with Life(base) as life:
        assert life.guarded.incomplete is None
        assert life.withholds
    KeyDirectory(base.keystore).insert(KeyType.BABE, "//Alice")
    with Life(base) as life:
        life.sign(KeyType.BABE, b"block A")
    shutil.rmtree(base.promises)
    assert Life(base).__enter__().withholds


def test_a_key_that_a_node_takes_in_while_it_runs_stays_with_its_record(tmp_path: Path) -> None:
    base = BasePath(tmp_path)
    with Life(base) as life:
        for role in BOUND:
            public = life.store.insert(role, "//Alice")
            assert life.store.public_keys(role) == (public,)
        life.sign(KeyType.BABE, b"block A")
        with pytest.raises(ContradictionRefused):
            life.sign(KeyType.BABE, b"block B")
    shutil.rmtree(base.promises)
    with Life(base) as life:
        assert life.withholds, "the first key has marked its record"
        for role in (*BOUND, KeyType.COLLATOR):
            with pytest.raises(KeysNotKept, match="may be incomplete"):
                life.store.insert(role, "//Bob")
        assert life.withholds
    assert KeyDirectory(base.keystore).load().public_keys(KeyType.COLLATOR) == ()


def test_a_key_that_the_disk_refuses_is_not_held(tmp_path: Path) -> None:
    base = BasePath(tmp_path)
    with Life(base) as life:
        shutil.rmtree(base.keystore, ignore_errors=True)
        base.keystore.write_text("in the way")
        with pytest.raises(KeysNotKept):
            life.store.insert(KeyType.BABE, "//Alice")
        assert life.withholds


def test_the_record_belongs_to_one_process(base: BasePath) -> None:
    keys = KeyDirectory(base.keystore).load()
    with Life(base), ExitStack() as resources, pytest.raises(DatabaseError, match="open already"):
        open_keys(base, keys, MemoryDatabase(), resources)


def test_a_record_of_an_earlier_version_is_read_and_completed(base: BasePath) -> None:
    """It has no layout, and its statements bind no verdict."""
    relay_parent, candidate = Hash(H256(b"\x0a" * 32)), CandidateHash(H256(b"\x0c" * 32))
    statement = promises.statement(relay_parent, candidate)
    sign_all(base, b"block A")
    with closing(LmdbDatabase(base.promises)) as record:
        keys = KeyDirectory(base.keystore).load()
        (public,) = keys.public_keys(KeyType.PARACHAIN)
        old = ProtectedKeyStore(keys, record)
        signature = old.sign(KeyType.PARACHAIN, public, b"Valid", [statement])
        batch = Batch()
        batch.delete("record", b"layout")
        record.write(batch, durable=True)
    verdicts = [promises.verdict(candidate, valid=valid) for valid in (True, False)]
    for _ in range(2):
        with Life(base) as life:
            assert life.guarded.incomplete is None
            again = life.store.sign(KeyType.PARACHAIN, public, b"Valid", [statement, verdicts[0]])
            assert again == signature
            for verdict in verdicts:
                with pytest.raises(ContradictionRefused):
                    life.store.sign(KeyType.PARACHAIN, public, b"a dispute vote", [verdict])
            with pytest.raises(ContradictionRefused):
                life.sign(KeyType.BABE, b"block B")


def test_a_record_of_a_later_version_is_not_guessed_at(base: BasePath) -> None:
    sign_all(base, b"block A")
    with closing(LmdbDatabase(base.promises)) as record:
        batch = Batch()
        batch.put("record", b"layout", b"3")
        record.write(batch, durable=True)
    assert_withheld(base, "a later version")
