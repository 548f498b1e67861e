"""The ledger's state, transfers and block data, byte for byte as ``validation.c`` has them; the
formats are described there.

A collator holds a :class:`LedgerState`, applies transfers to it as they come, and makes of a
block's transfers the block data that the validation function accepts::

    after = before.apply_all(transfers)
    data = encode_block_data(before, transfers)
    head = parent.child(after)
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from parahost.crypto import sr25519
from parahost.crypto.hashing import keccak_256
from parahost.primitives.basic import HeadData
from parahost.primitives.scale import encode_compact

ID_SIZE = 32
TRANSFER_DOMAIN = b"ledger/transfer"
MAX_LEDGER_BALANCE = 2**128 - 1
MAX_NONCE = 2**64 - 1

_HEAD = struct.Struct("<Q32s32s32s")
_TRANSFER = struct.Struct("<32s32s16sQ64s")
_ACCOUNT = struct.Struct("<32sQ16s")
_EMPTY_HASH = bytes(32)


class TransferRefused(Exception):
    """A transfer that no block may contain now: ``why`` is one of ``signature``, ``nonce``,
    ``balance``, ``overflow``, ``no such account``."""

    def __init__(self, transfer: Transfer, why: str) -> None:
        super().__init__(f"transfer {transfer.nonce} of {transfer.sender.hex()}: {why}")
        self.transfer = transfer
        self.why = why


@dataclass(frozen=True, slots=True)
class LedgerAccount:
    """An account; its id is its sr25519 public key."""

    id: bytes
    nonce: int = 0
    balance: int = 0

    def encode(self) -> bytes:
        return _ACCOUNT.pack(self.id, self.nonce, self.balance.to_bytes(16, "little"))

    @staticmethod
    def decode(data: bytes) -> LedgerAccount:
        """:raises ValueError: when it is not exactly 56 bytes."""
        if len(data) != _ACCOUNT.size:
            raise ValueError(f"an account has {_ACCOUNT.size} bytes, not {len(data)}")
        account_id, nonce, balance = _ACCOUNT.unpack(data)
        return LedgerAccount(account_id, nonce, int.from_bytes(balance, "little"))


@dataclass(frozen=True, slots=True)
class Transfer:
    """A transfer of ``amount`` between two account ids; ``nonce`` is the sender's."""

    sender: bytes
    receiver: bytes
    amount: int
    nonce: int
    signature: bytes = bytes(64)

    def message(self, chain: bytes) -> bytes:
        """What the sender signs, for the ledger of that name."""
        return TRANSFER_DOMAIN + chain + self._fields()

    def is_signed_for(self, chain: bytes) -> bool:
        return sr25519.verify(self.sender, self.message(chain), self.signature)

    def encode(self) -> bytes:
        return self._fields() + self.signature

    @staticmethod
    def decode(data: bytes) -> Transfer:
        """:raises ValueError: when it is not exactly 152 bytes."""
        if len(data) != _TRANSFER.size:
            raise ValueError(f"a transfer has {_TRANSFER.size} bytes, not {len(data)}")
        sender, receiver, amount, nonce, signature = _TRANSFER.unpack(data)
        return Transfer(sender, receiver, int.from_bytes(amount, "little"), nonce, signature)

    def hash(self) -> bytes:
        """The transfer's name, the same whatever the signature."""
        return keccak_256(self._fields())

    def _fields(self) -> bytes:
        amount, nonce = self.amount.to_bytes(16, "little"), self.nonce.to_bytes(8, "little")
        return self.sender + self.receiver + amount + nonce


@dataclass(frozen=True, slots=True)
class LedgerHead:
    """The para's head. ``chain`` names the ledger, 32 bytes."""

    number: int
    parent_hash: bytes
    state_root: bytes
    chain: bytes

    def encode(self) -> HeadData:
        return HeadData(_HEAD.pack(self.number, self.parent_hash, self.state_root, self.chain))

    def hash(self) -> bytes:
        return keccak_256(self.encode())

    def child(self, after: LedgerState) -> LedgerHead:
        """The head of a block that leaves that state behind."""
        return LedgerHead(self.number + 1, self.hash(), after.root, self.chain)

    @staticmethod
    def genesis(state: LedgerState) -> LedgerHead:
        return LedgerHead(0, bytes(32), state.root, state.chain)

    @staticmethod
    def decode(data: bytes) -> LedgerHead:
        """:raises ValueError: when it is not exactly 104 bytes."""
        if len(data) != _HEAD.size:
            raise ValueError(f"a ledger head has {_HEAD.size} bytes, not {len(data)}")
        return LedgerHead(*_HEAD.unpack(data))


@dataclass(frozen=True, slots=True)
class _Leaf:
    account: LedgerAccount
    path: bytes
    hash: bytes

    @staticmethod
    def of(account: LedgerAccount) -> _Leaf:
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
    """All accounts of the ledger ``chain`` at one block; immutable, sharing what it can with the
    states it came from."""

    chain: bytes
    _root: _Node = field(default=None)

    @staticmethod
    def genesis(chain: bytes, balances: Mapping[bytes, int]) -> LedgerState:
        """The state with these balances by account id."""
        for account_id, balance in balances.items():
            if len(account_id) != ID_SIZE or not 0 <= balance <= MAX_LEDGER_BALANCE:
                raise ValueError(f"not an account: {account_id.hex()} with {balance}")
        return LedgerState(chain).with_accounts(
            LedgerAccount(account_id, balance=balance) for account_id, balance in balances.items()
        )

    def with_accounts(self, accounts: Iterable[LedgerAccount]) -> LedgerState:
        """The state in which these accounts are as given, whatever they were."""
        state = self
        for account in accounts:
            state = state._with(account)
        return state

    @property
    def root(self) -> bytes:
        """The head's ``state_root``."""
        return _hash(self._root)

    def account(self, account_id: bytes) -> LedgerAccount | None:
        path, node, depth = keccak_256(account_id), self._root, 0
        while isinstance(node, _Branch):
            node, depth = node.children[_bit(path, depth)], depth + 1
        return node.account if node is not None and node.account.id == account_id else None

    def accounts(self) -> Iterator[LedgerAccount]:
        """All of them, in the order of the tree."""
        waiting = [self._root]
        while waiting:
            node = waiting.pop()
            if isinstance(node, _Branch):
                waiting += reversed(node.children)
            elif node is not None:
                yield node.account

    def apply(self, transfer: Transfer) -> LedgerState:
        """The state after a transfer.

        :raises TransferRefused: when the validation function would not take it either.
        """
        if not transfer.is_signed_for(self.chain):
            raise TransferRefused(transfer, "signature")
        return self.move(transfer)

    def move(self, transfer: Transfer) -> LedgerState:
        """:meth:`apply` a transfer whose signature has been checked.

        :raises TransferRefused: as there.
        """
        sender = self.account(transfer.sender)
        if sender is None:
            raise TransferRefused(transfer, "no such account")
        if sender.nonce != transfer.nonce or sender.nonce == MAX_NONCE:
            raise TransferRefused(transfer, "nonce")
        if sender.balance < transfer.amount:
            raise TransferRefused(transfer, "balance")
        debited = replace(sender, nonce=sender.nonce + 1, balance=sender.balance - transfer.amount)
        state = self._with(debited)
        receiver = state.account(transfer.receiver) or LedgerAccount(transfer.receiver)
        if receiver.balance + transfer.amount > MAX_LEDGER_BALANCE:
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

    def _with(self, account: LedgerAccount) -> LedgerState:
        return LedgerState(self.chain, _set(self._root, _Leaf.of(account), 0))


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
