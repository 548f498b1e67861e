"""The ledger's state, transfers and block data, byte for byte as ``validation.c`` has them; the
formats are described there.

A collator holds a :class:`LedgerState`, applies transfers to it as they come, and makes of a
block's transfers the block data that the validation function accepts::

    after = before.apply_all(transfers)
    data = encode_block_data(before, transfers)
    head = LedgerHead(parent.number + 1, keccak_256(parent.encode()), after.root)
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from parahost.crypto import sr25519
from parahost.crypto.hashing import keccak_256
from parahost.primitives.scale import encode_compact

ID_SIZE = 32
TRANSFER_DOMAIN = b"ledger/transfer"
MAX_BALANCE = 2**128 - 1
MAX_NONCE = 2**64 - 1

_HEAD = struct.Struct("<Q32s32s")
_EMPTY_HASH = bytes(32)


class TransferRefused(Exception):
    """A transfer that no block may contain now: ``why`` is one of ``signature``, ``nonce``,
    ``balance``, ``overflow``, ``no such account``."""

    def __init__(self, transfer: Transfer, why: str) -> None:
        super().__init__(f"transfer {transfer.nonce} of {transfer.sender.hex()}: {why}")
        self.transfer = transfer
        self.why = why


@dataclass(frozen=True, slots=True)
class Account:
    """An account; its id is its sr25519 public key."""

    id: bytes
    nonce: int = 0
    balance: int = 0

    def encode(self) -> bytes:
        nonce, balance = self.nonce.to_bytes(8, "little"), self.balance.to_bytes(16, "little")
        return self.id + nonce + balance


@dataclass(frozen=True, slots=True)
class Transfer:
    """A transfer of ``amount`` between two account ids; ``nonce`` is the sender's."""

    sender: bytes
    receiver: bytes
    amount: int
    nonce: int
    signature: bytes = bytes(64)

    @property
    def message(self) -> bytes:
        """What the sender signs."""
        return TRANSFER_DOMAIN + self._fields()

    def encode(self) -> bytes:
        return self._fields() + self.signature

    def _fields(self) -> bytes:
        amount, nonce = self.amount.to_bytes(16, "little"), self.nonce.to_bytes(8, "little")
        return self.sender + self.receiver + amount + nonce


@dataclass(frozen=True, slots=True)
class LedgerHead:
    """The para's head."""

    number: int
    parent_hash: bytes
    state_root: bytes

    def encode(self) -> bytes:
        return _HEAD.pack(self.number, self.parent_hash, self.state_root)

    @staticmethod
    def decode(data: bytes) -> LedgerHead:
        """:raises ValueError: when it is not exactly 72 bytes."""
        if len(data) != _HEAD.size:
            raise ValueError(f"a ledger head has {_HEAD.size} bytes, not {len(data)}")
        return LedgerHead(*_HEAD.unpack(data))


@dataclass(frozen=True, slots=True)
class _Leaf:
    account: Account
    path: bytes
    hash: bytes

    @staticmethod
    def of(account: Account) -> _Leaf:
        return _Leaf(account, keccak_256(account.id), keccak_256(b"\0" + account.encode()))


@dataclass(frozen=True, slots=True)
class _Branch:
    children: tuple[_Node, _Node]
    hash: bytes

    @staticmethod
    def of(left: _Node, right: _Node) -> _Branch:
        return _Branch((left, right), keccak_256(b"\1" + _hash(left) + _hash(right)))

    def with_child(self, side: int, child: _Node) -> _Branch:
        left, right = self.children
        return _Branch.of(left, child) if side else _Branch.of(child, right)


_Node = _Leaf | _Branch | None


@dataclass(frozen=True, slots=True)
class LedgerState:
    """All accounts at one block; immutable, sharing what it can with the states it came from."""

    _root: _Node = field(default=None)

    @staticmethod
    def genesis(balances: Mapping[bytes, int]) -> LedgerState:
        """The state with these balances by account id."""
        state = LedgerState()
        for account_id, balance in balances.items():
            if len(account_id) != ID_SIZE or not 0 <= balance <= MAX_BALANCE:
                raise ValueError(f"not an account: {account_id.hex()} with {balance}")
            state = state._with(Account(account_id, balance=balance))
        return state

    @property
    def root(self) -> bytes:
        """The head's ``state_root``."""
        return _hash(self._root)

    def account(self, account_id: bytes) -> Account | None:
        path, node, depth = keccak_256(account_id), self._root, 0
        while isinstance(node, _Branch):
            node, depth = node.children[_bit(path, depth)], depth + 1
        return node.account if node is not None and node.account.id == account_id else None

    def apply(self, transfer: Transfer) -> LedgerState:
        """The state after a transfer.

        :raises TransferRefused: when the validation function would not take it either.
        """
        if not sr25519.verify(transfer.sender, transfer.message, transfer.signature):
            raise TransferRefused(transfer, "signature")
        sender = self.account(transfer.sender)
        if sender is None:
            raise TransferRefused(transfer, "no such account")
        if sender.nonce != transfer.nonce or sender.nonce == MAX_NONCE:
            raise TransferRefused(transfer, "nonce")
        if sender.balance < transfer.amount:
            raise TransferRefused(transfer, "balance")
        debited = replace(sender, nonce=sender.nonce + 1, balance=sender.balance - transfer.amount)
        state = self._with(debited)
        receiver = state.account(transfer.receiver) or Account(transfer.receiver)
        if receiver.balance + transfer.amount > MAX_BALANCE:
            raise TransferRefused(transfer, "overflow")
        return state._with(replace(receiver, balance=receiver.balance + transfer.amount))

    def apply_all(self, transfers: Iterable[Transfer]) -> LedgerState:
        """:raises TransferRefused: at the first that is refused."""
        state = self
        for transfer in transfers:
            state = state.apply(transfer)
        return state

    def witness(self, account_ids: Iterable[bytes]) -> bytes:
        """The part of the tree that shows these accounts, or that there are none."""
        return _witness(self._root, [keccak_256(account_id) for account_id in account_ids], 0)

    def _with(self, account: Account) -> LedgerState:
        return LedgerState(_set(self._root, _Leaf.of(account), 0))


def encode_block_data(before: LedgerState, transfers: Sequence[Transfer]) -> bytes:
    """What the validation function needs to apply ``transfers`` to ``before``."""
    touched = {account for each in transfers for account in (each.sender, each.receiver)}
    data = bytearray(before.witness(touched))
    encode_compact(data, len(transfers))
    for transfer in transfers:
        data += transfer.encode()
    return bytes(data)


def _hash(node: _Node) -> bytes:
    return _EMPTY_HASH if node is None else node.hash


def _bit(path: bytes, depth: int) -> int:
    return path[depth // 8] >> (7 - depth % 8) & 1


def _set(node: _Node, leaf: _Leaf, depth: int) -> _Node:
    if node is None or (isinstance(node, _Leaf) and node.path == leaf.path):
        return leaf
    if isinstance(node, _Leaf):
        alone = (None, node) if _bit(node.path, depth) else (node, None)
        node = _Branch.of(*alone)
    side = _bit(leaf.path, depth)
    return node.with_child(side, _set(node.children[side], leaf, depth + 1))


def _witness(node: _Node, paths: list[bytes], depth: int) -> bytes:
    if not paths:
        return b"\0" + _hash(node)
    if node is None:
        return b"\1"
    if isinstance(node, _Leaf):
        return b"\2" + node.account.encode()
    sides: tuple[list[bytes], list[bytes]] = ([], [])
    for path in paths:
        sides[_bit(path, depth)].append(path)
    left, right = node.children
    return b"\3" + _witness(left, sides[0], depth + 1) + _witness(right, sides[1], depth + 1)
