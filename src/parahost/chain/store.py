"""The chain on disk.

=================  ===========================  ================================================
table              key                          value
=================  ===========================  ================================================
``meta``           ``layout``                   the version of this layout
``meta``           ``genesis``                  hash of the genesis block
``meta``           ``final``                    hash of the last final block
``meta``           ``base``                     hash of the block whose state is in ``base``
``headers``        hash                         SCALE header, of every block kept
``bodies``         hash                         SCALE extrinsics
``justifications`` hash                         what proves a block final
``deltas``         hash                         changes of the block to its parent's state
``epochs``         hash of an epoch's first     SCALE :class:`EpochView`
``canonical``      number, big-endian           hash, of every final block
``open``           order of import, big-endian  :class:`OpenBlock`, of every block after the
                                                last final one
``base``           storage key                  storage value, of one final block's state
=================  ===========================  ================================================

Each change is one batch that leads from one legal database to another, so a kill at any instant
leaves a legal one. Imported blocks may be lost with the machine's power: peers have them. Finality
is durable.

The state in ``base`` trails the last final block: it is moved forward, by some blocks at once, when
more than :data:`STATES_KEPT` final blocks lie after it, and the deltas that it takes in are dropped
(not in an archive). So the state after each of the last final blocks, and after each open block,
can be made again. When there is much to take in, a part waits for the next finality.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from parahost.chain.blocks import ExecutedBlock, StoredBody, StoredChanges, encoded_body
from parahost.chain.errors import DamagedDatabase, ForeignDatabase
from parahost.consensus.babe.epochs import EpochView
from parahost.ports import Batch, Database
from parahost.primitives.basic import H256, U8, BlockNumber, Hash
from parahost.primitives.header import Extrinsic, Header
from parahost.primitives.scale import ScaleDecodeError, decode, encode

STATES_KEPT = 256
"""So many final blocks before the last one have their states at hand."""
BASE_STEP = 16
"""The base is moved forward when it trails by so many blocks more than it must."""
MOVED_CHANGES = 2048
MOVED_BYTES = 4 << 20
"""With so much taken in, the base stops for now: the next finality moves it on. All of a block is
taken in at once."""

_LAYOUT = b"1"


@dataclass(frozen=True, slots=True)
class OpenBlock:
    """A block after the last final one. ``primary``: 1 if its slot is."""

    hash: Hash
    primary: U8


class ChainStore:
    """Reads and writes the tables. Everything read is checked as far as bytes allow.

    :raises DamagedDatabase: from any method that reads.
    """

    def __init__(self, database: Database, *, archive: bool) -> None:
        self._database = database
        self.archive = archive

    # Opening

    def is_new(self, genesis_hash: Hash) -> bool:
        """Whether there is no chain yet.

        :raises ForeignDatabase: when there is one that has another genesis block.
        """
        layout = self._database.get("meta", b"layout")
        if layout is None:
            if next(self._database.scan("headers"), None) is not None:
                raise DamagedDatabase("it holds blocks, and no record of which chain they are of")
            return True
        if layout != _LAYOUT:
            raise DamagedDatabase(f"its layout is {layout!r}, this version reads {_LAYOUT!r}")
        found = self._meta(b"genesis")
        if found != genesis_hash:
            raise ForeignDatabase(genesis_hash, found)
        return False

    def create(
        self, header: Header, state: Iterable[tuple[bytes, bytes]], epochs: EpochView
    ) -> None:
        """Write the genesis block and its state into an empty database."""
        hash = header.hash()
        batch = Batch()
        batch.put("headers", hash, header.encoded())
        batch.put("bodies", hash, encoded_body(()))
        batch.put("canonical", _number_key(header.number), hash)
        batch.put("epochs", hash, encode(epochs))
        for key, value in state:
            batch.put("base", key, value)
        batch.put("meta", b"layout", _LAYOUT)
        for name in (b"genesis", b"final", b"base"):
            batch.put("meta", name, hash)
        self._database.write(batch, durable=True)

    # Reading

    @property
    def final_hash(self) -> Hash:
        return self._meta(b"final")

    @property
    def base_hash(self) -> Hash:
        return self._meta(b"base")

    def header(self, hash: Hash) -> Header | None:
        header: Header | None = self._decoded("headers", hash, Header)
        return header

    def body(self, hash: Hash) -> tuple[Extrinsic, ...] | None:
        body: tuple[Extrinsic, ...] | None = self._decoded("bodies", hash, StoredBody)
        return body

    def encoded_body(self, hash: Hash) -> bytes | None:
        return self._database.get("bodies", hash)

    def justification(self, hash: Hash) -> bytes | None:
        return self._database.get("justifications", hash)

    def delta(self, hash: Hash) -> dict[bytes, bytes | None] | None:
        """What the block has changed, if it is still kept."""
        delta: StoredChanges | None = self._decoded("deltas", hash, StoredChanges)
        return None if delta is None else dict(delta)

    def canonical(self, number: int) -> Hash | None:
        """The final block of that number."""
        hash = self._database.get("canonical", _number_key(number))
        return None if hash is None else Hash(H256(hash))

    def epochs_begun_at(self, hash: Hash) -> EpochView | None:
        """The view of a block that is the first of an epoch; ``None`` for other blocks."""
        epochs: EpochView | None = self._decoded("epochs", hash, EpochView)
        return epochs

    def open_blocks(self) -> Iterator[tuple[int, OpenBlock]]:
        """The blocks after the last final one with their orders, parents before children."""
        for key, value in self._database.scan("open"):
            yield int.from_bytes(key, "big"), _decode("open", key, OpenBlock, value)

    def base_state(self) -> Iterator[tuple[bytes, bytes]]:
        return self._database.scan("base")

    # Writing

    def add_block(self, block: ExecutedBlock, *, order: int, begins_epoch: bool) -> None:
        """Keep an executed block, and its view of epochs if it begins one."""
        hash, header = block.hash, block.header
        batch = Batch()
        batch.put("headers", hash, header.header.encoded())
        batch.put("bodies", hash, block.body)
        batch.put("deltas", hash, block.changes)
        batch.put("open", _order_key(order), encode(OpenBlock(hash, U8(header.primary))))
        if begins_epoch:
            batch.put("epochs", hash, encode(header.epochs))
        self._database.write(batch, durable=False)

    def finalize(
        self,
        final: Sequence[tuple[Hash, BlockNumber, int]],
        pruned: Sequence[tuple[Hash, int]],
        justification: bytes | None,
    ) -> dict[bytes, bytes | None] | None:
        """Make blocks final, given as hash, number and order, ascending, and forget the blocks on
        other forks. Gives what the base has changed by, when it was moved."""
        hash, number, _ = final[-1]
        batch = Batch()
        for block, its_number, order in final:
            batch.put("canonical", _number_key(its_number), block)
            batch.delete("open", _order_key(order))
        for block, order in pruned:
            batch.delete("open", _order_key(order))
            for table in ("headers", "bodies", "deltas", "epochs"):
                batch.delete(table, block)
        if justification is not None:
            batch.put("justifications", hash, justification)
        batch.put("meta", b"final", hash)
        moved = self._move_base(batch, {n: block for block, n, _ in final}, number)
        self._database.write(batch, durable=True)
        return moved

    def add_justification(self, hash: Hash, justification: bytes) -> None:
        """Keep the proof for a block that is already final."""
        batch = Batch()
        batch.put("justifications", hash, justification)
        self._database.write(batch, durable=True)

    def _move_base(
        self, batch: Batch, becoming_final: Mapping[int, Hash], final_number: int
    ) -> dict[bytes, bytes | None] | None:
        base = self.header(self.base_hash)
        if base is None:
            raise DamagedDatabase("the block of its base state has no header")
        target = final_number - STATES_KEPT
        if target < base.number + BASE_STEP:
            return None
        merged: dict[bytes, bytes | None] = {}
        size = 0
        hash = self.base_hash
        for number in range(base.number + 1, target + 1):
            found = becoming_final.get(number) or self.canonical(number)
            delta = None if found is None else self.delta(found)
            if found is None or delta is None:
                raise DamagedDatabase(f"the changes of the final block {number} are absent")
            merged.update(delta)
            hash = found
            if not self.archive:
                batch.delete("deltas", hash)
            size += sum(len(value) for value in delta.values() if value is not None)
            if len(merged) >= MOVED_CHANGES or size >= MOVED_BYTES:
                break
        for key, value in merged.items():
            if value is None:
                batch.delete("base", key)
            else:
                batch.put("base", key, value)
        batch.put("meta", b"base", hash)
        return merged

    def _meta(self, name: bytes) -> Hash:
        value = self._database.get("meta", name)
        if value is None or len(value) != 32:
            raise DamagedDatabase(f"its record {name.decode()} is absent or cut")
        return Hash(H256(value))

    def _decoded(self, table: str, hash: Hash, type_: Any) -> Any:
        raw = self._database.get(table, hash)
        return None if raw is None else _decode(table, hash, type_, raw)


def _decode(table: str, key: bytes, type_: Any, raw: bytes) -> Any:
    try:
        return decode(type_, raw)
    except ScaleDecodeError as error:
        raise DamagedDatabase(f"{table}/{key.hex()} is unreadable {error}") from error


def _number_key(number: int) -> bytes:
    return number.to_bytes(4, "big")


def _order_key(order: int) -> bytes:
    return order.to_bytes(8, "big")
