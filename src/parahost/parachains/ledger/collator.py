"""The ledger's collator: takes signed transfers over HTTP and brings them into blocks."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Mapping
from functools import partial

from parahost.crypto import sr25519
from parahost.crypto.hashing import keccak_256
from parahost.parachains.collator import Collator, CollatorFailed, Services
from parahost.parachains.ledger.book import Book, BooksUnusable
from parahost.parachains.ledger.http import listen, serve
from parahost.parachains.ledger.state import LedgerHead, LedgerState
from parahost.ports.collator import BuildContext, ParachainBlock
from parahost.primitives.basic import HeadData, ParaId

DEFAULT_HTTP = "127.0.0.1:8780"
DEV_ACCOUNTS = ("Alice", "Bob", "Charlie", "Dave", "Eve", "Ferdie")
DEV_BALANCE = 1_000_000
_LENGTH_PREFIX = 5
"""Bytes that the length of block data takes in a PoV, at most."""


class LedgerCollator(Collator):
    """``balances`` are what accounts begin with: public key in hex to amount (by default a million
    for each of Substrate's development accounts). ``name`` tells ledgers with the same number
    apart. ``http`` is where to listen, as ``host:port``; port 0 takes any, and an empty text
    none. Without it, :data:`DEFAULT_HTTP`, or any port where that one is taken."""

    def __init__(
        self,
        balances: Mapping[str, int] | None = None,
        name: str = "ledger",
        http: str | None = None,
    ) -> None:
        self._balances = _dev_balances() if balances is None else _read_balances(balances)
        if not isinstance(name, str):
            raise ValueError(f"name: {name!r} is no text")
        self._name = name
        self._address = _read_address(DEFAULT_HTTP if http is None else http)
        self._any_port_will_do = http is None

    def genesis_head(self, para_id: ParaId) -> HeadData:
        return LedgerHead.genesis(self._genesis(para_id)).encode()

    async def start(self, services: Services) -> None:
        await super().start(services)
        genesis = self._genesis(services.para_id)
        if LedgerHead.genesis(genesis).encode() != services.genesis_head:
            raise CollatorFailed(
                "args: these balances and this name do not give the head with which the chain "
                "began; use those that it was made with"
            )
        try:
            self.book = Book(services.store, genesis)
        except BooksUnusable as error:
            raise CollatorFailed(f"{error}; give the collator another data directory") from error
        if self._address is not None:
            services.spawn(partial(serve, self._listen(self._address), self.book))

    async def build(self, parent_head: HeadData, context: BuildContext) -> ParachainBlock | None:
        parent = self.book.at(LedgerHead.decode(parent_head))
        if parent is None:
            self._note_unknown(parent_head)
            return None
        data, head = self.book.build(parent, context.max_pov_size - _LENGTH_PREFIX)
        return ParachainBlock(data, head.encode())

    def on_included(self, head: HeadData) -> None:
        if not self.book.note_included(LedgerHead.decode(head)):
            self._note_unknown(head)

    def on_finalized(self, head: HeadData) -> None:
        if not self.book.finalize(LedgerHead.decode(head)):
            self._note_unknown(head)

    def _note_unknown(self, head: HeadData) -> None:
        """Of another collator's block, or of one whose data directory is lost, we do not have the
        transfers, and a head does not tell them."""
        number, para = LedgerHead.decode(head).number, self.services.para_id
        self.services.journal.record("ledger.unknown_head", para=para, number=number)

    def _listen(self, address: tuple[str, int]) -> socket.socket:
        try:
            listener = listen(*address)
        except OSError as error:
            if self._any_port_will_do and error.errno == errno.EADDRINUSE and address[1]:
                return self._listen((address[0], 0))
            where = f"{address[0]}:{address[1]}"
            why = os.strerror(error.errno) if error.errno else str(error)
            reason = f"args.http: cannot listen on {where}: {why}; give another address"
            raise CollatorFailed(reason) from error
        host, port = listener.getsockname()[:2]
        para = self.services.para_id
        self.services.journal.record("ledger.http", para=para, url=f"http://{host}:{port}")
        self.url = f"http://{host}:{port}"
        return listener

    def _genesis(self, para_id: ParaId) -> LedgerState:
        named = b"ledger/chain" + para_id.to_bytes(4, "little") + self._name.encode()
        return LedgerState.genesis(keccak_256(named), self._balances)


def _dev_balances() -> dict[bytes, int]:
    return {sr25519.Keypair.from_uri(f"//{name}").public: DEV_BALANCE for name in DEV_ACCOUNTS}


def _read_balances(balances: Mapping[str, int]) -> dict[bytes, int]:
    found: dict[bytes, int] = {}
    if not isinstance(balances, Mapping):
        raise ValueError("balances: a table of public keys and amounts is expected")
    for account, balance in balances.items():
        try:
            public = bytes.fromhex(account.removeprefix("0x"))
        except ValueError:
            public = b""
        if len(public) != 32:
            raise ValueError(f"balances: {account!r:.80} is not 32 bytes in hex")
        if not isinstance(balance, int) or isinstance(balance, bool) or balance < 0:
            raise ValueError(f"balances: {balance!r:.80} is no amount")
        found[public] = balance
    return found


def _read_address(http: str) -> tuple[str, int] | None:
    if http == "":
        return None
    host, colon, port = http.rpartition(":") if isinstance(http, str) else ("", "", "")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) < 1 << 16):
        raise ValueError(f"http: {http!r:.80} is not host:port")
    return host, int(port)
