"""A block on its way into the chain, one value for each stage.

A ``Block`` of the network becomes a :class:`VerifiedBlock`, that an :class:`ExecutedBlock` or a
:class:`RefusedBlock`. Each stage keeps what it has found out, and no later one asks again: what
the digest says, which root the body has, how the block is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from parahost.consensus.babe.verification import VerifiedHeader
from parahost.primitives.basic import Hash
from parahost.primitives.header import Block, Extrinsic
from parahost.primitives.memoize import memoize
from parahost.primitives.scale import encode
from parahost.runtime.errors import InvalidBlock
from parahost.runtime.executive import Executed
from parahost.runtime.storage import State

Execute = Callable[[State, Block], Executed]
"""Executes a block, given without its seal, on its parent's state; raises ``InvalidBlock``. A
pure function: the nodes of one simulation may share a cache around it."""

StoredBody = tuple[Extrinsic, ...]
StoredChanges = tuple[tuple[bytes, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class VerifiedBlock:
    """A block whose header is good on a parent that is in the tree. Nobody has looked at the
    body yet."""

    header: VerifiedHeader
    body: tuple[Extrinsic, ...]
    parent_state: State

    @property
    def hash(self) -> Hash:
        return self.header.hash

    def executed(self, execute: Execute) -> ExecutedBlock | RefusedBlock:
        """Execute the block: as long as its weight says. A function of values, for any thread."""
        unsealed, _ = self.header.header.without_seal()
        try:
            executed = execute(self.parent_state, Block(unsealed, self.body))
        except InvalidBlock as why:
            return RefusedBlock(self.hash, why)
        return ExecutedBlock(
            self.header,
            executed.state,
            encoded_body(self.body),
            encoded_changes(executed.changes),
        )


@dataclass(frozen=True, slots=True)
class ExecutedBlock:
    """A good block: its post-state, and body and changes of state as they are stored."""

    header: VerifiedHeader
    state: State
    body: bytes
    changes: bytes

    @property
    def hash(self) -> Hash:
        return self.header.hash


@dataclass(frozen=True, slots=True)
class RefusedBlock:
    """A block with a good header that breaks a rule in its execution."""

    hash: Hash
    why: InvalidBlock


@dataclass(frozen=True, slots=True)
class Imported:
    """The block is stored. ``new_best``: it is the best block now."""

    hash: Hash
    new_best: bool


@dataclass(frozen=True, slots=True)
class AlreadyKnown:
    """The block had been imported before; nothing has changed."""

    hash: Hash


def encoded_changes(changes: Mapping[bytes, bytes | None]) -> bytes:
    """The stored form of what a block has changed in its parent's state."""
    return _encoded_changes(tuple(changes.items()))


@memoize(16)
def encoded_body(body: StoredBody) -> bytes:
    """The stored form of a body, which is also its form on the wire."""
    return encode(body, StoredBody)


@memoize(16)
def _encoded_changes(changes: StoredChanges) -> bytes:
    return encode(changes, StoredChanges)
