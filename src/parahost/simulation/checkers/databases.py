"""Databases: what a crash leaves is legal."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

from parahost.node.availability.archive import CHUNKS, DATA
from parahost.ports import Database
from parahost.primitives.availability import ErasureChunk
from parahost.primitives.basic import H256
from parahost.primitives.candidates import AvailableData
from parahost.primitives.hashing import blake2_256
from parahost.primitives.header import Extrinsic, Header
from parahost.primitives.scale import ScaleDecodeError, decode, decode_prefix
from parahost.simulation.checkers.checker import Checker, Scene
from parahost.simulation.journal import TraceEvent
from parahost.trie import StateVersion, Trie

_SIGNED_KEY_LENGTH = 4 + 32
_SIGNED_VALUE_LENGTH = 32 + 64


class LegalDatabases(Checker):
    """After each crash, and at the end, a node's disk holds a chain without gaps whose states have
    the roots of their headers, and chunks, data and the signing log in their formats."""

    name = "legal_databases"
    events = ("node.started",)

    def on_event(self, event: TraceEvent) -> None:
        if event.fields["life"] != 1:
            self._look_at(event.node)

    def at_end(self) -> None:
        for node in self.scene.plan.nodes:
            self._look_at(node.name)

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._tries = _Tries()

    def _look_at(self, node: str) -> None:
        if self.scene.is_damaged(node):
            return
        disk = self.scene.disk_of(node)
        try:
            why = _ChainTables(disk, self._tries).fault() or _stores_fault(disk)
        except ScaleDecodeError as error:
            why = f"a value cannot be read: {error}"
        if why is not None:
            self.violated(f"{node}: {why}")


class _Tries:
    """State tries by what they are made of: nodes have mostly the same."""

    def __init__(self) -> None:
        self._found: dict[bytes, Trie] = {}

    def of_rows(self, rows: Iterable[tuple[bytes, bytes]]) -> Trie:
        items = dict(rows)
        name = blake2b(digest_size=16)
        for key, value in items.items():
            name.update(key + value)
        return self._made(name.digest(), Trie(StateVersion.V1), items)

    def after(self, trie: Trie, delta: bytes) -> Trie:
        """The trie with the changes of a block."""
        changes = dict(decode(tuple[tuple[bytes, bytes | None], ...], delta))
        name = blake2b(trie.root + delta, digest_size=16).digest()
        return self._made(name, trie, changes)

    def _made(self, name: bytes, trie: Trie, changes: dict[bytes, Any]) -> Trie:
        found = self._found.get(name)
        if found is None:
            found = self._found[name] = trie.insert_many(changes)
        return found


class _ChainTables:
    """The tables of the chain, by the layout that ``parahost.chain.store`` lays down."""

    def __init__(self, disk: Database, tries: _Tries) -> None:
        self._disk = disk
        self._tries = tries
        self._headers: dict[bytes, Header] = {
            hash: decode(Header, form) for hash, form in disk.scan("headers")
        }
        self._states: dict[bytes, Trie] = {}

    def fault(self) -> str | None:
        """What contradicts the layout; ``None`` when nothing does."""
        if self._disk.get("meta", b"genesis") is None:
            return None  # the node has not come to make a chain
        for hash, header in self._headers.items():
            if blake2_256(self._disk.get("headers", hash) or b"") != hash:
                return f"the header of block {header.number} is another one's"
        return self._final_fault() or self._state_fault()

    def _final_fault(self) -> str | None:
        """One chain from genesis to the last final block."""
        canonical = [hash for _, hash in self._disk.scan("canonical")]
        for number, hash in enumerate(canonical):
            if hash not in self._headers or self._headers[hash].number != number:
                return f"there is no final block {number}"
            if number and self._headers[hash].parent_hash != canonical[number - 1]:
                return f"final block {number} is not on final block {number - 1}"
        if not canonical or canonical[-1] != self._disk.get("meta", b"final"):
            return "the last final block is not the end of the final chain"
        return None

    def _state_fault(self) -> str | None:
        """The base is some final block's state, and each block after it has its changes, body and
        state root."""
        base = self._disk.get("meta", b"base")
        if base not in self._headers:
            return "the base is no block's state"
        self._states[base] = self._tries.of_rows(self._disk.scan("base"))
        if self._states[base].root != self._headers[base].state_root:
            return "the base has not the state root of its block"
        canonical = [hash for _, hash in self._disk.scan("canonical")]
        opened = [decode_prefix(H256, form)[0] for _, form in self._disk.scan("open")]
        for hash in (*canonical[self._headers[base].number + 1 :], *opened):
            why = self._block_fault(hash)
            if why is not None:
                return why
        return None

    def _block_fault(self, hash: bytes) -> str | None:
        header = self._headers.get(hash)
        if header is None:
            return f"block 0x{hash.hex()[:8]} has no header"
        body, delta = self._disk.get("bodies", hash), self._disk.get("deltas", hash)
        if body is None or delta is None:
            return f"block {header.number} has no body or no state"
        decode(tuple[Extrinsic, ...], body)
        parent = self._states.get(header.parent_hash)
        if parent is None:
            return f"block {header.number} has no parent"
        state = self._states[hash] = self._tries.after(parent, delta)
        if state.root != header.state_root:
            return f"block {header.number} has not the state that its header says"
        return None


def _stores_fault(disk: Database) -> str | None:
    for key, form in disk.scan(CHUNKS):
        chunk: ErasureChunk = decode(ErasureChunk, form)
        if int.from_bytes(key[32:], "big") != chunk.index:
            return f"chunk {chunk.index} is kept under another index"
    for _, form in disk.scan(DATA):
        decode(AvailableData, form)
    for key, form in disk.scan("signed"):
        if len(key) <= _SIGNED_KEY_LENGTH or len(form) != _SIGNED_VALUE_LENGTH:
            return "an entry of the signing log is malformed"
    return None
