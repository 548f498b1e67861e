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
from parahost.crypto.protection import ProtectionLog, move_promises, name_verdicts
from parahost.crypto.vrf import make_bytes, vrf_inout, vrf_verify
from parahost.ports import promises
from parahost.ports.database import Batch, DatabaseError
from parahost.ports.keystore import ContradictionRefused, KeyStore, KeyType
from parahost.ports.promises import Promise, Subject
from parahost.primitives.approval import approval_payload
from parahost.primitives.basic import (
    H256,
    U32,
    U64,
    CandidateHash,
    Hash,
    ParaId,
    SessionIndex,
    Slot,
)
from parahost.primitives.statements import (
    Invalid,
    Seconded,
    SigningContext,
    Statement,
    Valid,
    statement_payload,
)
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


def about(which: str, says: bytes | None = None) -> Promise:
    """Any promise: here it only matters which are the same."""
    return Promise(Subject.BITFIELD, which.encode(), says)


P, Q = about("p"), about("q")
Asked = tuple[bytes, list[Promise]]
"""A payload and what it binds."""


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
    signature = store.sign(KeyType.GRANDPA, ALICE_GRANDPA, b"payload", [about("vote 1")])
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
        store.sign(KeyType.BABE, BOB, b"payload", [P])
    with pytest.raises(KeyError):
        store.vrf_sign(KeyType.COLLATOR, ALICE, Transcript(b"t"))


@pytest.mark.guide("A77")
def test_a_promise_binds_one_payload_of_one_key(store: KeyStore) -> None:
    first = store.sign(KeyType.PARACHAIN, ALICE, b"one", [P])
    assert store.sign(KeyType.PARACHAIN, ALICE, b"one", [P]) == first
    with pytest.raises(ContradictionRefused) as refused:
        store.sign(KeyType.PARACHAIN, ALICE, b"two", [P])
    assert refused.value.promise == P
    store.sign(KeyType.PARACHAIN, BOB, b"two", [P])
    store.sign(KeyType.BABE, ALICE, b"two", [P])
    store.sign(KeyType.PARACHAIN, ALICE, b"two", [Q])
    store.sign(KeyType.PARACHAIN, ALICE, b"three", [])


@pytest.mark.guide("A77")
def test_a_refusal_binds_none_of_its_promises(store: KeyStore) -> None:
    store.sign(KeyType.PARACHAIN, ALICE, b"one", [P])
    with pytest.raises(ContradictionRefused):
        store.sign(KeyType.PARACHAIN, ALICE, b"two", [Q, P])
    store.sign(KeyType.PARACHAIN, ALICE, b"three", [Q])


CANDIDATE, ANOTHER = CandidateHash(H256(b"\x0c" * 32)), CandidateHash(H256(b"\x0d" * 32))
PARENT = Hash(H256(b"\x0a" * 32))
CONTEXT = SigningContext(SessionIndex(U32(7)), PARENT)


def stated(kind: type[Statement], candidate: CandidateHash = CANDIDATE) -> Asked:
    """A backing statement, with what it binds."""
    bound = [
        promises.statement(PARENT, candidate),
        promises.verdict(candidate, valid=kind is not Invalid),
    ]
    return statement_payload(kind, candidate, CONTEXT), bound


def checked(valid: bool, candidate: CandidateHash = CANDIDATE) -> Asked:
    """A checker's verdict: an approval, or a vote against the candidate in a dispute."""
    payload = approval_payload(candidate, SessionIndex(U32(7)), valid=valid)
    return payload, [promises.verdict(candidate, valid=valid)]


@pytest.mark.guide("A77")
@pytest.mark.parametrize(
    ("first", "agrees", "contradicts"),
    [
        (stated(Seconded), checked(True), checked(False)),
        (stated(Valid), checked(True), checked(False)),
        (stated(Invalid), checked(False), checked(True)),
        (checked(True), checked(True), stated(Invalid)),
        (checked(False), checked(False), stated(Seconded)),
        (checked(True), stated(Seconded), checked(False)),
    ],
)
def test_of_a_candidate_one_verdict_is_given_in_whatever_form(
    first: Asked, agrees: Asked, contradicts: Asked
) -> None:
    """Also after a crash; and of another candidate something else may be said."""
    database = MemoryDatabase()
    for asked in (first, agrees, first):
        ProtectedKeyStore(KEYS, database).sign(KeyType.PARACHAIN, ALICE, *asked)
        database = database.crash(database.unsynced)
    store = ProtectedKeyStore(KEYS, database)
    with pytest.raises(ContradictionRefused, match=f"verdict {CANDIDATE.hex()}"):
        store.sign(KeyType.PARACHAIN, ALICE, *contradicts)
    for payload, bound in (first, agrees):
        signature = store.sign(KeyType.PARACHAIN, ALICE, payload, bound)
        assert sr25519.verify(ALICE, payload, signature)
    store.sign(KeyType.PARACHAIN, BOB, *contradicts)
    store.sign(KeyType.PARACHAIN, ALICE, *checked(False, ANOTHER))


def test_what_an_earlier_version_has_stated_leaves_no_verdict_but_that_one() -> None:
    """Its log has statements alone. What they say cannot be told from a hash: so they are given
    again as they were, and nothing else is said of their candidates."""
    source, record = MemoryDatabase(), MemoryDatabase()
    for database, candidate in ((source, CANDIDATE), (record, ANOTHER)):
        payload, (statement, _) = stated(Valid, candidate)
        ProtectedKeyStore(KEYS, database).sign(KeyType.PARACHAIN, ALICE, payload, [statement])
    name_verdicts(record)
    move_promises(source, record)
    store = ProtectedKeyStore(KEYS, record.crash(record.unsynced))
    for candidate in (CANDIDATE, ANOTHER):
        store.sign(KeyType.PARACHAIN, ALICE, *stated(Valid, candidate))
        for asked in (stated(Invalid, candidate), checked(True, candidate)):
            with pytest.raises(ContradictionRefused):
                store.sign(KeyType.PARACHAIN, ALICE, *asked)
        store.sign(KeyType.PARACHAIN, BOB, *checked(False, candidate))


def test_completing_a_record_twice_changes_nothing() -> None:
    record = MemoryDatabase()
    ProtectedKeyStore(KEYS, record).sign(KeyType.PARACHAIN, ALICE, *stated(Valid))
    entries = list(record.scan("signed"))
    name_verdicts(record)
    assert list(record.scan("signed")) == entries
    ProtectedKeyStore(KEYS, record).sign(KeyType.PARACHAIN, ALICE, *checked(True))


def test_names_of_promises_have_one_meaning() -> None:
    """They are on disk: these bytes must not change."""
    slot, para = Slot(U64(0x0102)), ParaId(U32(0x0304))
    names = [
        promises.block(slot).name,
        promises.vote(1, 2, 1).name,
        promises.seconded(PARENT).name,
        promises.statement(PARENT, CANDIDATE).name,
        promises.verdict(CANDIDATE, valid=True).name,
        promises.bitfield(PARENT).name,
        promises.collation(PARENT, para).name,
    ]
    assert names == [
        b"babe" + b"\x02\x01" + bytes(6),
        b"ballot" + bytes(7) + b"\x01" + bytes(7) + b"\x02" + b"\x01",
        b"seconded" + PARENT,
        b"statement" + PARENT + CANDIDATE,
        b"verdict" + CANDIDATE,
        b"bitfield" + PARENT,
        b"collation" + PARENT + b"\x04\x03\0\0",
    ]
    prefixes = [subject.value for subject in Subject]
    assert len(prefixes) == len(names)
    assert not any(a != b and a.startswith(b) for a in prefixes for b in prefixes)


def test_what_the_log_says() -> None:
    """The format is a promise to those who move a validator to another machine."""
    database = MemoryDatabase()
    store = ProtectedKeyStore(KEYS, database)
    signature = store.sign(KeyType.PARACHAIN, ALICE, b"payload", [P, Q])
    assert database.unsynced == 0, "both were written durably"
    entry = blake2_256(b"payload") + signature
    assert list(database.scan("signed")) == [
        (b"para" + ALICE + b"bitfieldp", entry),
        (b"para" + ALICE + b"bitfieldq", entry),
    ]


def test_what_cannot_be_logged_is_not_signed() -> None:
    def fail(_batch: Batch, durable: bool) -> None:
        assert durable
        raise DatabaseError("disk full")

    database = MemoryDatabase(fail)
    store = ProtectedKeyStore(KEYS, database)
    with pytest.raises(DatabaseError):
        store.sign(KeyType.PARACHAIN, ALICE, b"one", [P])
    database.before_write = None
    store.sign(KeyType.PARACHAIN, ALICE, b"two", [P])


def test_what_was_signed_once_is_given_out_again_as_it_was() -> None:
    """A scheme may draw anew for each signature: two of one payload would show two hands."""
    log = ProtectionLog(MemoryDatabase())
    made = iter([b"first" * 12, b"second" * 10])

    def sign(promises: list[Promise]) -> bytes:
        return log.sign_once(KeyType.BABE, ALICE, b"payload", promises, lambda: next(made))

    assert sign([P]) == sign([P]) == sign([Q, P]) == sign([Q]) == b"first" * 12


def test_promises_that_move_are_in_the_record_before_they_leave() -> None:
    def fail(_batch: Batch, _durable: bool) -> None:
        raise DatabaseError("disk full")

    old, record = MemoryDatabase(), MemoryDatabase(fail)
    ProtectedKeyStore(KEYS, old).sign(KeyType.PARACHAIN, ALICE, b"one", [P])
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
        ProtectedKeyStore(KEYS, record).sign(KeyType.PARACHAIN, ALICE, b"two", [P])


def test_the_log_outlives_the_process(tmp_path: Path) -> None:
    database = LmdbDatabase(tmp_path)
    signature = ProtectedKeyStore(KEYS, database).sign(KeyType.PARACHAIN, ALICE, b"one", [P])
    database.close()
    database = LmdbDatabase(tmp_path)
    store = ProtectedKeyStore(KEYS, database)
    assert store.sign(KeyType.PARACHAIN, ALICE, b"one", [P]) == signature
    with pytest.raises(ContradictionRefused):
        store.sign(KeyType.PARACHAIN, ALICE, b"two", [P])
    database.close()


class _Killed(Exception):
    pass


class _KilledAfterWrite(MemoryDatabase):
    """The process dies when the batch is written, before anybody hears of it."""

    def write(self, batch: Batch, *, durable: bool) -> None:
        super().write(batch, durable=durable)
        raise _Killed


class Promises(RuleBasedStateMachine):
    """Whatever is asked and whenever it crashes: of each subject one thing has got out. Some
    subjects bind the payload, ``p`` to ``pp``; of the candidates ``c`` and ``d`` a verdict is given
    by any payload."""

    def __init__(self) -> None:
        super().__init__()
        self.database = MemoryDatabase()
        self.said: dict[bytes, bytes] = {}
        """What may be out of each subject, also when the process died before anybody heard it."""
        self.out: dict[tuple[bytes, bytes], bytes] = {}
        """Signatures that the world has seen, by the promise that they bound and the payload."""

    asked = st.tuples(
        st.sampled_from([b"one", b"two", b"three"]),
        st.lists(
            st.one_of(
                st.sampled_from(["p", "q", "pp"]).map(about),
                st.builds(
                    lambda which, says: Promise(Subject.VERDICT, which, says),
                    st.sampled_from([b"c", b"d"]),
                    st.sampled_from([b"valid", b"invalid"]),
                ),
            ),
            max_size=3,
            unique_by=lambda promise: promise.name,
        ),
    )

    def may_sign(self, asked: Asked) -> bool:
        """Nothing else was said of any subject; or this payload was signed already."""
        payload, bound = asked
        says = {p.name: p.says or payload for p in bound}
        contradicts = any(self.said.get(name, said) != said for name, said in says.items())
        again = any(p.says is None and self.said.get(p.name) == payload for p in bound)
        return again or not contradicts

    def note(self, asked: Asked) -> None:
        payload, bound = asked
        for promise in bound:
            self.said.setdefault(promise.name, promise.says or payload)

    @rule(asked=asked)
    def sign(self, asked: Asked) -> None:
        payload, bound = asked
        store = ProtectedKeyStore(KEYS, self.database)
        try:
            signature = store.sign(KeyType.PARACHAIN, ALICE, payload, bound)
        except ContradictionRefused:
            assert not self.may_sign(asked)
            return
        assert self.may_sign(asked)
        self.note(asked)
        for promise in bound:
            assert self.out.setdefault((promise.name, payload), signature) == signature

    @rule(asked=asked)
    def sign_and_be_killed(self, asked: Asked) -> None:
        payload, bound = asked
        dying = _KilledAfterWrite()
        dying._tables, self.database._tables = self.database._tables, {}
        try:
            ProtectedKeyStore(KEYS, dying).sign(KeyType.PARACHAIN, ALICE, payload, bound)
        except _Killed:
            self.note(asked)
        except ContradictionRefused:
            assert not self.may_sign(asked)
        self.database = dying.crash(dying.unsynced)

    @rule()
    @precondition(lambda self: self.said)
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
