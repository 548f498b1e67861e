"""Databases: what a crash leaves is legal."""

from __future__ import annotations

from parahost.node.availability.archive import CHUNKS, DATA
from parahost.ports import Database
from parahost.primitives.availability import ErasureChunk
from parahost.primitives.basic import H256
from parahost.primitives.candidates import AvailableData
from parahost.primitives.hashing import blake2_256
from parahost.primitives.header import Extrinsic, Header
from parahost.primitives.scale import ScaleDecodeError, decode, decode_prefix
from parahost.simulation.checkers.checker import Checker
from parahost.simulation.journal import TraceEvent
from parahost.trie import StateVersion, Trie

_SIGNED_KEY_LENGTH = 4 + 32
_SIGNED_VALUE_LENGTH = 32 + 64


class LegalDatabases(Checker):
    """After each crash, and at the end, a node's disk holds a chain without gaps whose states have
    the roots of their headers, and chunks, data and the signing log in their formats."""

    name = "legal_databases"

    def on_event(self, event: TraceEvent) -> None:
        if event.event == "node.started" and event.fields["life"] != 1:
            self._look_at(event.node)

    def at_end(self) -> None:
        for node in self.scene.plan.nodes:
            self._look_at(node.name)

    def _look_at(self, node: str) -> None:
        if self.scene.is_excused(node):
            return
        disk = self.scene.disk_of(node)
        try:
            why = _chain_fault(disk) or _stores_fault(disk)
        except ScaleDecodeError as error:
            why = f"a value cannot be read: {error}"
        if why is not None:
            self.violated(f"{node}: {why}")


def _chain_fault(disk: Database) -> str | None:
    """What contradicts the layout of the chain's tables."""
    genesis, final, base = (disk.get("meta", name) for name in (b"genesis", b"final", b"base"))
    if genesis is None:
        return None  # it has not come to make one
    if final is None or base is None:
        return "the chain has no final block or no base"
    headers = {hash: decode(Header, form) for hash, form in disk.scan("headers")}
    for hash, header in headers.items():
        if blake2_256(disk.get("headers", hash) or b"") != hash:
            return f"the header of block {header.number} is another one's"
    canonical = [hash for _, hash in disk.scan("canonical")]
    for number, hash in enumerate(canonical):
        if hash not in headers or headers[hash].number != number:
            return f"there is no final block {number}"
        if number and headers[hash].parent_hash != canonical[number - 1]:
            return f"final block {number} is not on final block {number - 1}"
    if not canonical or canonical[-1] != final:
        return "the last final block is not the end of the final chain"
    known = set(canonical)
    for _, form in disk.scan("open"):
        hash, _ = decode_prefix(H256, form)
        if hash not in headers or headers[hash].parent_hash not in known:
            return f"an open block has no header or no parent: 0x{hash.hex()[:8]}"
        if disk.get("bodies", hash) is None or disk.get("deltas", hash) is None:
            return f"an open block has no body or no state: 0x{hash.hex()[:8]}"
        decode(tuple[Extrinsic, ...], disk.get("bodies", hash) or b"")
        known.add(hash)
    trie = Trie(StateVersion.V1).insert_many(dict(disk.scan("base")))
    if trie.root != headers[base].state_root:
        return "the base state has not the root of its block"
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
