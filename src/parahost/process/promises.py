"""The record of what a node's keys have promised, and whether it is whole (D16, D36).

The record is a database of its own in ``promises/``. A mark beside the keys names it: the keys and
their record belong together. When the record is missing, damaged, or not the one that the mark
names, the keys may have signed what nobody remembers any more. Then the keys that could be caught
in a contradiction are withheld, and the node goes on without them, until the operator decides.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from parahost.crypto.keystore import KeyDirectory, KeyFileError, KeyRing, ProtectedKeyStore
from parahost.crypto.protection import move_promises, name_verdicts
from parahost.ports import (
    Batch,
    Database,
    DatabaseDamaged,
    DatabaseError,
    KeysNotKept,
    KeyStore,
    KeyType,
)
from parahost.process.base_path import BasePath
from parahost.storage.lmdb import LmdbDatabase
from parahost.storage.memory import MemoryDatabase

BOUND = (KeyType.BABE, KeyType.GRANDPA, KeyType.PARACHAIN)
"""Keys of these roles sign what must never be contradicted."""

_TABLE = "record"
_NAME = b"name"
_NAME_BYTES = 16
_LAYOUT, _TODAYS = b"layout", b"2"
"""Since 2, statements bind a verdict on their candidate. A record without a layout is older."""


class PromisesIncomplete(DatabaseError):
    """The record of promises may lack some; says why and what the operator can do."""

    def __init__(self, place: Path, why: str) -> None:
        super().__init__(
            f"the record of what this node has signed, {place}, may be incomplete: {why}. Validator"
            " keys are withheld, so that nothing contradictory is signed. Bring the record back; or"
            " give the node new keys; or, when no other node has these keys and this one has been"
            " out of the network for a whole session, run `parahost keys reset-promises`"
        )
        self.place = place
        self.why = why


@dataclass(frozen=True, slots=True)
class GuardedKeys:
    """The key store to use, and why some keys are withheld from it, if they are."""

    store: KeyStore
    incomplete: PromisesIncomplete | None = None


def open_keys(base: BasePath, keys: KeyRing, chain: Database, resources: ExitStack) -> GuardedKeys:
    """The key store of a base path, with its record of promises, open until ``resources`` closes.

    ``chain`` is the chain's database: promises that an earlier version kept there move over.

    :raises DatabaseError: when the disk refuses, or another process has the record.
    """
    try:
        record = LmdbDatabase(base.promises)
        resources.callback(record.close)
        _bring_up_to_date(base, record, chain)
        _match(base, record, has_keys=any(keys.public_keys(role) for role in BOUND))
    except DatabaseDamaged as damage:
        incomplete = PromisesIncomplete(base.promises, str(damage))
    except PromisesIncomplete as error:
        incomplete = error
    else:
        return GuardedKeys(ProtectedKeyStore(keys, record, partial(_keep, base, record)))
    withheld = keys.without(BOUND)
    refuse = partial(_refuse, incomplete)
    return GuardedKeys(ProtectedKeyStore(withheld, MemoryDatabase(), refuse), incomplete)


def _keep(base: BasePath, record: Database, key_type: KeyType, uri: str) -> None:
    """Put a new key into the base path. From the first one on, keys and record belong together.

    :raises KeysNotKept: when the disk refuses.
    """
    try:
        _match(base, record, has_keys=key_type in BOUND)
        KeyDirectory(base.keystore).insert(key_type, uri)
    except (DatabaseError, KeyFileError, OSError) as why:
        raise KeysNotKept(str(why)) from why


def _refuse(incomplete: PromisesIncomplete, key_type: KeyType, uri: str) -> None:
    """Without a record of what it signs, no key is taken in."""
    raise KeysNotKept(str(incomplete))


def reset(base: BasePath) -> Path | None:
    """Move the record out of the way and forget which one the keys have, so that the next start
    begins a new one. The node must not run. Gives where the old record is now, if there was one.

    :raises DatabaseError: when a node has the record open.
    :raises OSError: when the files cannot be moved.
    """
    aside: Path | None = None
    if base.promises.exists():
        with suppress(DatabaseDamaged):  # which may be why it is reset
            LmdbDatabase(base.promises).close()
        aside = _free_name(base.promises)
        base.promises.rename(aside)
    base.promises_mark.unlink(missing_ok=True)
    return aside


def _bring_up_to_date(base: BasePath, record: Database, chain: Database) -> None:
    """Take over what earlier versions have left, and complete it.

    :raises PromisesIncomplete: when a later version has written the record.
    """
    layout = record.get(_TABLE, _LAYOUT)
    if layout not in (None, _TODAYS):
        raise PromisesIncomplete(base.promises, "a later version of this program has written it")
    move_promises(chain, record)
    if layout is None:
        name_verdicts(record)
        batch = Batch()
        batch.put(_TABLE, _LAYOUT, _TODAYS)
        record.write(batch, durable=True)


def _match(base: BasePath, record: Database, *, has_keys: bool) -> None:
    """See that keys and record belong together; at the first start, make it so.

    :raises PromisesIncomplete: when they do not.
    """
    name = record.get(_TABLE, _NAME)
    marked = _read_mark(base.promises_mark)
    if marked is not None and name is None:
        raise PromisesIncomplete(base.promises, "it is gone, and the keys have been used before")
    if marked is not None and name != marked:
        raise PromisesIncomplete(base.promises, "it is the record of other keys than these")
    if marked is None and has_keys:
        if name is None:
            name = os.urandom(_NAME_BYTES)
            batch = Batch()
            batch.put(_TABLE, _NAME, name)
            record.write(batch, durable=True)
        _write_mark(base.promises_mark, name)


def _read_mark(path: Path) -> bytes | None:
    try:
        return bytes.fromhex(path.read_text().strip())
    except FileNotFoundError:
        return None
    except ValueError:
        return b""  # which no record is named


def _write_mark(path: Path, name: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    with draft.open("w") as file:
        file.write(name.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _free_name(path: Path) -> Path:
    number = 1
    while (name := path.with_name(f"{path.name}.old-{number}")).exists():
        number += 1
    return name
