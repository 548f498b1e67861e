"""The ledger's books: what the accounts are at each head, which transfers wait, and all of it on
disk.

Tables by the beginning of the key: ``final`` the final head; ``account/`` the accounts as they are
there; ``block/`` the blocks after it that we built, by number; ``pool/`` the transfers that wait,
in order; ``done/`` for each transfer in a final block that block's number.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from parahost.parachains.ledger.state import (
    LedgerAccount,
    LedgerHead,
    LedgerState,
    Transfer,
    TransferRefused,
    encode_block_data,
)
from parahost.parachains.store import Store
from parahost.primitives.scale import decode, encode

MAX_POOL = 512
"""Transfers that wait; a further one is refused."""
MAX_TRANSFERS = 256
"""Transfers in one block."""

_FINAL, _ACCOUNT, _BLOCK, _POOL, _DONE = b"final", b"account/", b"block/", b"pool/", b"done/"


class BooksUnusable(Exception):
    """What is on disk does not fit: another ledger's, or damaged."""


class BookFull(Exception):
    def __init__(self) -> None:
        super().__init__(f"{MAX_POOL} transfers wait already; try again in a while")


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """A block on disk."""

    parent_hash: bytes
    head: bytes
    transfers: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """The ledger at one head, and the transfers that led to it from its parent."""

    head: LedgerHead
    state: LedgerState
    transfers: tuple[Transfer, ...] = ()


class Book:
    """Opens the books in ``store``, or begins them with ``genesis``.

    :raises BooksUnusable: when what is stored is no ledger of this chain.
    """

    def __init__(self, store: Store, genesis: LedgerState) -> None:
        self._store = store
        final = self._read_final(genesis)
        self._entries = {final.head.hash(): final}
        self.final = self.included = final
        self._pool: dict[bytes, tuple[bytes, Transfer]] = {}
        self._next_place = 0
        try:
            self._read_blocks()
            self._read_pool()
        except ValueError as error:
            raise BooksUnusable(f"the stored ledger is damaged: {error}") from error
        self._confirmed: dict[bytes, None] = {}
        self._preview = final.state
        self.note_included(final.head)

    # Reading what is on disk

    def _read_final(self, genesis: LedgerState) -> Entry:
        stored = self._store.get(_FINAL)
        if stored is None:
            head = LedgerHead.genesis(genesis)
            changes: dict[bytes, bytes | None] = {_FINAL: head.encode()}
            for account in genesis.accounts():
                changes[_ACCOUNT + account.id] = account.encode()
            self._store.write(changes)
            return Entry(head, genesis)
        try:
            head = LedgerHead.decode(stored)
            accounts = [LedgerAccount.decode(value) for _, value in self._store.scan(_ACCOUNT)]
        except ValueError as error:
            raise BooksUnusable(f"the stored ledger is damaged: {error}") from error
        if head.chain != genesis.chain:
            raise BooksUnusable(f"the stored ledger is {head.chain.hex()}, not this one")
        state = LedgerState(head.chain).with_accounts(accounts)
        if state.root != head.state_root:
            raise BooksUnusable("the stored ledger is damaged: its accounts do not give its root")
        return Entry(head, state)

    def _read_blocks(self) -> None:
        for _, value in self._store.scan(_BLOCK):
            stored: StoredBlock = decode(StoredBlock, value)
            parent = self._entries.get(stored.parent_hash)
            if parent is not None:
                transfers = tuple(Transfer.decode(each) for each in stored.transfers)
                state = parent.state.apply_all(transfers)
                head = LedgerHead.decode(stored.head)
                self._entries[head.hash()] = Entry(head, state, transfers)

    def _read_pool(self) -> None:
        for key, value in self._store.scan(_POOL):
            transfer = Transfer.decode(value)
            self._pool[transfer.hash()] = (key, transfer)
            self._next_place = int.from_bytes(key[len(_POOL) :], "big") + 1

    # Building

    def at(self, head: LedgerHead) -> Entry | None:
        """``None`` for a head that we know nothing of."""
        return self._entries.get(head.hash())

    def build(self, parent: Entry, max_bytes: int) -> tuple[bytes, LedgerHead]:
        """Block data of at most so many bytes, with as many waiting transfers as fit, and the head
        that follows. On disk before it is returned."""
        transfers = self._fitting(parent.state, MAX_TRANSFERS)
        data = encode_block_data(parent.state, transfers)
        while len(data) > max_bytes and transfers:
            transfers = transfers[: len(transfers) // 2]
            data = encode_block_data(parent.state, transfers)
        after = parent.state
        for transfer in transfers:
            after = after.move(transfer)
        head = parent.head.child(after)
        entry = Entry(head, after, tuple(transfers))
        if head.hash() not in self._entries:
            packed = tuple(transfer.encode() for transfer in transfers)
            stored = StoredBlock(parent.head.hash(), head.encode(), packed)
            self._store.write({_block_key(head): encode(stored)})
            self._entries[head.hash()] = entry
        return data, head

    def _fitting(self, state: LedgerState, count: int) -> list[Transfer]:
        """Waiting transfers that can follow that state, in the order in which they came."""
        found: list[Transfer] = []
        for _, transfer in self._pool.values():
            if len(found) == count:
                break
            try:
                state = state.move(transfer)
            except TransferRefused:
                continue  # in a block already, or after one that is not
            found.append(transfer)
        return found

    # Transfers

    def add(self, transfer: Transfer) -> None:
        """Let a transfer wait; it is on disk by the return. One that is known changes nothing.

        :raises TransferRefused: when it cannot follow what is included and what waits.
        :raises PoolFull: when too many wait.
        """
        if self.status(transfer.hash()) is not None:
            return
        if not transfer.is_signed_for(self.included.state.chain):
            raise TransferRefused(transfer, "signature")
        if len(self._pool) >= MAX_POOL:
            raise BookFull
        preview = self._preview.move(transfer)
        key = _POOL + self._next_place.to_bytes(8, "big")
        self._store.write({key: transfer.encode()})
        self._preview = preview
        self._next_place += 1
        self._pool[transfer.hash()] = (key, transfer)

    def status(self, transfer_hash: bytes) -> str | None:
        """``pending``, ``included``, ``final``, or ``None`` when nobody knows it."""
        if self._store.get(_DONE + transfer_hash) is not None:
            return "final"
        if transfer_hash in self._confirmed:
            return "included"
        return "pending" if transfer_hash in self._pool else None

    def next_nonce(self, account_id: bytes) -> int:
        """The nonce of the account's next transfer, after those that wait."""
        return _nonce(self._preview, account_id)

    # What the relay chain says

    def note_included(self, head: LedgerHead) -> bool:
        """``False`` when the head is not ours."""
        entry = self.at(head)
        if entry is None:
            return False
        self.included = entry
        path = self._since_final(entry)
        self._confirmed = {t.hash(): None for each in path for t in each.transfers}
        self._preview = entry.state
        for _, transfer in self._pool.values():
            try:
                self._preview = self._preview.move(transfer)
            except TransferRefused:
                continue
        return True

    def finalize(self, head: LedgerHead) -> bool:
        """Move the books on disk to that head, and forget what came before and beside it.
        ``False`` when the head is not ours."""
        entry = self.at(head)
        if entry is None:
            return False
        if entry is self.final:
            return True
        path = self._since_final(entry)
        transfers = [transfer for each in path for transfer in each.transfers]
        changes: dict[bytes, bytes | None] = {_FINAL: head.encode()}
        for account_id in dict.fromkeys(id_ for t in transfers for id_ in (t.sender, t.receiver)):
            account = entry.state.account(account_id)
            assert account is not None
            changes[_ACCOUNT + account_id] = account.encode()
        for transfer in transfers:
            changes[_DONE + transfer.hash()] = head.number.to_bytes(8, "little")
        outdated = [
            each
            for each in self._entries.values()
            if each is not entry and each.head.number <= head.number
        ]
        settled = [
            (key, transfer)
            for key, transfer in self._pool.values()
            if transfer.nonce < _nonce(entry.state, transfer.sender)
        ]
        changes |= {_block_key(each.head): None for each in (*outdated, entry)}
        changes |= {key: None for key, _ in settled}
        self._store.write(changes)
        self.final = entry
        for each in outdated:
            del self._entries[each.head.hash()]
        for _, transfer in settled:
            del self._pool[transfer.hash()]
        self.note_included((entry if self._is_outdated(self.included) else self.included).head)
        return True

    def _is_outdated(self, entry: Entry) -> bool:
        return entry.head.hash() not in self._entries

    def _since_final(self, entry: Entry) -> Iterable[Entry]:
        """The blocks from that one back to the final one, without it."""
        path = []
        at: Entry | None = entry
        while at is not None and at.head.number > self.final.head.number:
            path.append(at)
            at = self._entries.get(at.head.parent_hash)
        return path


def _nonce(state: LedgerState, account_id: bytes) -> int:
    account = state.account(account_id)
    return account.nonce if account else 0


def _block_key(head: LedgerHead) -> bytes:
    return _BLOCK + head.number.to_bytes(8, "big") + head.hash()
