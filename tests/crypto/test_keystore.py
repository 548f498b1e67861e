"""The key store: which keys it holds, and that no crash makes it contradict itself (D16)."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from parahost.crypto import ed25519, sr25519
from parahost.crypto.hashing import blake2_256
from parahost.crypto.keystore import KeyDirectory, KeyFileError, KeyRing, ProtectedKeyStore
from parahost.crypto.protection import ProtectionLog, move_promises
from parahost.crypto.vrf import make_bytes, vrf_inout, vrf_verify
from parahost.ports.database import Batch, DatabaseError
from parahost.ports.keystore import ContradictionRefused, KeyStore, KeyType
from parahost.primitives.transcript import Transcript
from parahost.storage import LmdbDatabase, MemoryDatabase

ALICE = sr25519.Keypair.from_uri("//Alice").public
BOB = sr25519.Keypair.from_uri("//Bob").public
ALICE_GRANDPA = ed25519.Keypair.from_uri("//Alice").public
KEYS = KeyRing.of(
    [
        (KeyType.PARACHAIN, "//Bob"),
        (KeyType.PARACHAIN, "//Alice"),
        (KeyType.BABE, "//Alice"),
        (KeyType.GRANDPA, "//Alice"),
    ]
)


@pytest.fixture
def store() -> KeyStore:
    return ProtectedKeyStore(KEYS, MemoryDatabase())


def test_keys_by_role_in_order(store: KeyStore) -> None:
    assert store.public_keys(KeyType.PARACHAIN) == (BOB, ALICE)
    assert store.public_keys(KeyType.GRANDPA) == (ALICE_GRANDPA,)
    assert store.public_keys(KeyType.COLLATOR) == ()


def test_each_role_has_its_kind_of_signature(store: KeyStore) -> None:
    signature = store.sign(KeyType.PARACHAIN, ALICE, b"payload", [])
    assert sr25519.verify(ALICE, b"payload", signature)
    signature = store.sign(KeyType.GRANDPA, ALICE_GRANDPA, b"payload", [b"vote 1"])
    assert ed25519.verify(ALICE_GRANDPA, b"payload", signature)
    transcript, extra = Transcript(b"t"), Transcript(b"e")
    signed = store.vrf_sign(KeyType.BABE, ALICE, transcript, extra)
    assert vrf_verify(ALICE, transcript, signed.pre_output, signed.proof, extra) is not None
    inout = vrf_inout(ALICE, transcript, signed.pre_output)
    output = store.vrf_output(KeyType.BABE, ALICE, transcript, b"context", 16)
    assert output == make_bytes(inout, b"context", 16)
    with pytest.raises(TypeError):
        store.vrf_sign(KeyType.GRANDPA, ALICE_GRANDPA, transcript)
    with pytest.raises(TypeError):
        store.vrf_output(KeyType.GRANDPA, ALICE_GRANDPA, transcript, b"context", 16)


def test_a_key_that_is_not_held_signs_nothing(store: KeyStore) -> None:
    with pytest.raises(KeyError, match=BOB.hex()):
        store.sign(KeyType.BABE, BOB, b"payload", [b"promise"])
    with pytest.raises(KeyError):
        store.vrf_sign(KeyType.COLLATOR, ALICE, Transcript(b"t"))


@pytest.mark.guide("A77")
def test_a_promise_binds_one_payload_of_one_key(store: KeyStore) -> None:
    first = store.sign(KeyType.PARACHAIN, ALICE, b"one", [b"p"])
    assert store.sign(KeyType.PARACHAIN, ALICE, b"one", [b"p"]) == first
    with pytest.raises(ContradictionRefused) as refused:
        store.sign(KeyType.PARACHAIN, ALICE, b"two", [b"p"])
    assert refused.value.promise == b"p"
    store.sign(KeyType.PARACHAIN, BOB, b"two", [b"p"])
    store.sign(KeyType.BABE, ALICE, b"two", [b"p"])
    store.sign(KeyType.PARACHAIN, ALICE, b"two", [b"q"])
    store.sign(KeyType.PARACHAIN, ALICE, b"three", [])


@pytest.mark.guide("A77")
def test_a_refusal_binds_none_of_its_promises(store: KeyStore) -> None:
    store.sign(KeyType.PARACHAIN, ALICE, b"one", [b"p"])
    with pytest.raises(ContradictionRefused):
        store.sign(KeyType.PARACHAIN, ALICE, b"two", [b"q", b"p"])
    store.sign(KeyType.PARACHAIN, ALICE, b"three", [b"q"])


def test_what_the_log_says() -> None:
    """The format is a promise to those who move a validator to another machine."""
    database = MemoryDatabase()
    store = ProtectedKeyStore(KEYS, database)
    signature = store.sign(KeyType.PARACHAIN, ALICE, b"payload", [b"p", b"q"])
    assert database.unsynced == 0, "both were written durably"
    entry = blake2_256(b"payload") + signature
    assert list(database.scan("signed")) == [
        (b"para" + ALICE + b"p", entry),
        (b"para" + ALICE + b"q", entry),
    ]


@pytest.mark.parametrize("promise", [b"", bytes(465)])
def test_promises_that_cannot_be_kept(store: KeyStore, promise: bytes) -> None:
    with pytest.raises(ValueError):
        store.sign(KeyType.PARACHAIN, ALICE, b"payload", [b"fine", promise])


def test_what_cannot_be_logged_is_not_signed() -> None:
    def fail(_batch: Batch, durable: bool) -> None:
        assert durable
        raise DatabaseError("disk full")

    database = MemoryDatabase(fail)
    store = ProtectedKeyStore(KEYS, database)
    with pytest.raises(DatabaseError):
        store.sign(KeyType.PARACHAIN, ALICE, b"one", [b"p"])
    database.before_write = None
    store.sign(KeyType.PARACHAIN, ALICE, b"two", [b"p"])


def test_what_was_signed_once_is_given_out_again_as_it_was() -> None:
    """A scheme may draw anew for each signature: two of one payload would show two hands."""
    log = ProtectionLog(MemoryDatabase())
    made = iter([b"first" * 12, b"second" * 10])

    def sign(promises: list[bytes]) -> bytes:
        return log.sign_once(KeyType.BABE, ALICE, b"payload", promises, lambda: next(made))

    assert sign([b"p"]) == sign([b"p"]) == sign([b"q", b"p"]) == sign([b"q"]) == b"first" * 12


def test_promises_that_move_are_in_the_record_before_they_leave() -> None:
    def fail(_batch: Batch, _durable: bool) -> None:
        raise DatabaseError("disk full")

    old, record = MemoryDatabase(), MemoryDatabase(fail)
    ProtectedKeyStore(KEYS, old).sign(KeyType.PARACHAIN, ALICE, b"one", [b"p"])
    entries = list(old.scan("signed"))
    with pytest.raises(DatabaseError):
        move_promises(old, record)
    assert list(old.scan("signed")) == entries
    record.before_write = None
    move_promises(old, record)
    assert list(record.scan("signed")) == entries
    assert (old.unsynced, record.unsynced) == (0, 0), "both were written durably"
    assert list(old.scan("signed")) == []
    with pytest.raises(ContradictionRefused):
        ProtectedKeyStore(KEYS, record).sign(KeyType.PARACHAIN, ALICE, b"two", [b"p"])


def test_the_log_outlives_the_process(tmp_path: Path) -> None:
    database = LmdbDatabase(tmp_path)
    signature = ProtectedKeyStore(KEYS, database).sign(KeyType.PARACHAIN, ALICE, b"one", [b"p"])
    database.close()
    database = LmdbDatabase(tmp_path)
    store = ProtectedKeyStore(KEYS, database)
    assert store.sign(KeyType.PARACHAIN, ALICE, b"one", [b"p"]) == signature
    with pytest.raises(ContradictionRefused):
        store.sign(KeyType.PARACHAIN, ALICE, b"two", [b"p"])
    database.close()


class _Killed(Exception):
    pass


class _KilledAfterWrite(MemoryDatabase):
    """The process dies when the batch is written, before anybody hears of it."""

    def write(self, batch: Batch, *, durable: bool) -> None:
        super().write(batch, durable=durable)
        raise _Killed


class Promises(RuleBasedStateMachine):
    """Whatever is asked and whenever it crashes: each promise has one payload that got out."""

    def __init__(self) -> None:
        super().__init__()
        self.database = MemoryDatabase()
        self.out: dict[bytes, tuple[bytes, bytes]] = {}
        """What the world has seen under each promise: payload and signature."""
        self.maybe: dict[bytes, bytes] = {}
        """Payloads that were bound when the process died."""

    asked = st.tuples(
        st.sampled_from([b"one", b"two", b"three"]),
        st.lists(st.sampled_from([b"p", b"q", b"r", b"pp"]), max_size=3),
    )

    @rule(asked=asked)
    def sign(self, asked: tuple[bytes, list[bytes]]) -> None:
        payload, promises = asked
        bound = {p: seen for p, (seen, _) in self.out.items()} | self.maybe
        contradicts = any(bound.get(p, payload) != payload for p in promises)
        store = ProtectedKeyStore(KEYS, self.database)
        try:
            signature = store.sign(KeyType.PARACHAIN, ALICE, payload, promises)
        except ContradictionRefused:
            assert contradicts
            return
        assert not contradicts
        for promise in promises:
            seen = self.out.setdefault(promise, (payload, signature))
            assert seen == (payload, signature)

    @rule(asked=asked)
    def sign_and_be_killed(self, asked: tuple[bytes, list[bytes]]) -> None:
        payload, promises = asked
        dying = _KilledAfterWrite()
        dying._tables, self.database._tables = self.database._tables, {}
        try:
            ProtectedKeyStore(KEYS, dying).sign(KeyType.PARACHAIN, ALICE, payload, promises)
        except _Killed:
            self.maybe |= dict.fromkeys(promises, payload)
        except ContradictionRefused:
            pass
        self.database = dying.crash(dying.unsynced)

    @rule()
    @precondition(lambda self: self.out)
    def power_failure(self) -> None:
        self.database = self.database.crash(self.database.unsynced)


Promises.TestCase.settings = settings(max_examples=40, stateful_step_count=15, deadline=None)
test_promises_survive_crashes = pytest.mark.guide("A77")(Promises.TestCase)


def test_a_key_directory_is_substrates(tmp_path: Path) -> None:
    directory = KeyDirectory(tmp_path / "keys")
    assert directory.load().public_keys(KeyType.PARACHAIN) == ()
    assert directory.insert(KeyType.PARACHAIN, "//Alice") == ALICE
    assert directory.insert(KeyType.PARACHAIN, "//Alice") == ALICE
    assert directory.insert(KeyType.GRANDPA, "//Alice") == ALICE_GRANDPA
    (tmp_path / "keys" / (b"audi".hex() + ALICE.hex())).write_text('"//Alice"')
    (tmp_path / "keys" / "README").write_text("not a key")
    file = tmp_path / "keys" / ("70617261" + ALICE.hex())
    assert json.loads(file.read_text()) == "//Alice"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    ring = directory.load()
    assert ring.public_keys(KeyType.PARACHAIN) == (ALICE,)
    assert ring.public_keys(KeyType.GRANDPA) == (ALICE_GRANDPA,)
    store = ProtectedKeyStore(ring, MemoryDatabase())
    assert sr25519.verify(ALICE, b"x", store.sign(KeyType.PARACHAIN, ALICE, b"x", []))


@pytest.mark.parametrize("content", ['"//Bob"', "//Alice", "42", '"0x12"', "\xff", ""])
def test_a_key_file_that_lies_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / (b"para" + ALICE).hex()
    file.write_text(content, encoding="latin-1")
    with pytest.raises(KeyFileError) as refused:
        KeyDirectory(tmp_path).load()
    assert refused.value.path == file
