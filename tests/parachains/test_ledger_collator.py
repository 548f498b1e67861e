"""The ledger's collator: transfers in over HTTP, through blocks, to finality; and its books."""

from __future__ import annotations

import json
import socket
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any
from urllib.error import HTTPError

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException

from parahost.crypto import sr25519
from parahost.parachains.collator import CollatorFailed, running
from parahost.parachains.ledger import book as books
from parahost.parachains.ledger import client
from parahost.parachains.ledger.book import Book, BookFull
from parahost.parachains.ledger.collator import DEV_BALANCE, LedgerCollator
from parahost.parachains.ledger.http import application, read_transfer
from parahost.parachains.ledger.state import LedgerHead, Transfer, TransferRefused
from parahost.ports import DatabaseError
from parahost.primitives.basic import HeadData
from parahost.storage import MemoryDatabase
from tests.node.harness import ListJournal, TrioClock
from tests.parachains.world import PARA, Bench

ALICE, BOB = (sr25519.Keypair.from_uri(uri) for uri in ("//Alice", "//Bob"))


async def ledger(disk: MemoryDatabase | None = None, **args: Any) -> Bench:
    return await Bench(LedgerCollator(http="", **args), disk or MemoryDatabase()).start()


def book_of(bench: Bench) -> Book:
    assert isinstance(bench.collator, LedgerCollator)
    return bench.collator.book


def transfer(bench: Bench, amount: int, nonce: int) -> Transfer:
    chain = LedgerHead.decode(bench.genesis).chain
    return client.sign_transfer(ALICE, BOB.public, amount, nonce, chain)


def balance(bench: Bench, who: sr25519.Keypair) -> int:
    account = book_of(bench).included.state.account(who.public)
    return account.balance if account else 0


# The books


async def test_a_transfer_goes_from_pending_to_included_to_final() -> None:
    bench = await ledger()
    book = book_of(bench)
    sent = transfer(bench, 10, 0)
    book.add(sent)
    head = await bench.checked("ledger", bench.genesis)
    assert book.status(sent.hash()) == "pending"
    bench.collator.on_included(head)
    assert book.status(sent.hash()) == "included"
    assert balance(bench, BOB) == DEV_BALANCE + 10
    bench.collator.on_included(bench.genesis)  # the relay chain went back
    assert book.status(sent.hash()) == "pending"
    again = await bench.checked("ledger", bench.genesis)
    assert again == head
    bench.collator.on_included(head)
    bench.collator.on_finalized(head)
    assert book.status(sent.hash()) == "final"
    assert book.status(bytes(32)) is None
    empty = await bench.checked("ledger", head)
    assert LedgerHead.decode(empty).state_root == LedgerHead.decode(head).state_root


@pytest.mark.parametrize("final", [0, 1, 2])
async def test_everything_survives_a_crash_at_any_time(final: int) -> None:
    disk = MemoryDatabase()
    bench = await ledger(disk)
    heads = [bench.genesis]
    for nonce in range(3):
        book_of(bench).add(transfer(bench, 1 + nonce, nonce))
        heads.append(await bench.checked("ledger", heads[-1]))
        bench.collator.on_included(heads[-1])
    bench.collator.on_finalized(heads[final])
    book_of(bench).add(transfer(bench, 50, 3))
    again = await ledger(disk.crash())
    again.collator.on_included(heads[-1])
    assert balance(again, BOB) == DEV_BALANCE + 6
    for nonce, status in enumerate(["final"] * final + ["included"] * (3 - final)):
        assert book_of(again).status(transfer(bench, 1 + nonce, nonce).hash()) == status
    head = await again.checked("ledger", heads[-1])
    again.collator.on_included(head)
    assert balance(again, BOB) == DEV_BALANCE + 56


async def test_a_write_that_fails_promises_nothing() -> None:
    disk = MemoryDatabase()
    bench = await ledger(disk)

    def refuse(*_: object) -> None:
        raise DatabaseError("the disk is full")

    disk.before_write = refuse
    with pytest.raises(DatabaseError):
        book_of(bench).add(transfer(bench, 1, 0))
    disk.before_write = None
    assert book_of(bench).status(transfer(bench, 1, 0).hash()) is None
    book_of(bench).add(transfer(bench, 2, 0))
    one = await bench.checked("ledger", bench.genesis)
    two = await bench.checked("ledger", one)
    disk.before_write = refuse
    with pytest.raises(DatabaseError):
        bench.collator.on_finalized(two)
    disk.before_write = None
    bench.collator.on_finalized(two)
    again = await ledger(disk)
    assert balance(again, BOB) == DEV_BALANCE + 2


async def test_the_pool_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books, "MAX_POOL", 3)
    bench = await ledger()
    for nonce in range(3):
        book_of(bench).add(transfer(bench, 1, nonce))
    book_of(bench).add(transfer(bench, 1, 0))  # known: no news
    with pytest.raises(BookFull):
        book_of(bench).add(transfer(bench, 1, 3))


async def test_a_block_holds_no_more_than_fits() -> None:
    bench = await ledger()
    for nonce in range(20):
        book_of(bench).add(transfer(bench, 1, nonce))
    small = await bench.build(bench.genesis, max_pov_size=1500)
    assert small is not None and len(small.block_data) <= 1500
    bench.collator.on_included(small.head)
    moved = balance(bench, BOB) - DEV_BALANCE
    assert 0 < moved < 20
    rest = await bench.checked("ledger", small.head)
    bench.collator.on_included(rest)
    assert balance(bench, BOB) == DEV_BALANCE + 20


async def test_an_unknown_head_is_told_and_nothing_breaks() -> None:
    bench = await ledger()
    unknown = replace(LedgerHead.decode(bench.genesis), number=9).encode()
    assert await bench.build(unknown) is None
    bench.collator.on_included(unknown)
    bench.collator.on_finalized(unknown)
    assert bench.journal.names() == ["ledger.unknown_head"] * 3
    assert await bench.checked("ledger", bench.genesis)


async def test_another_ledgers_disk_or_chain_is_refused() -> None:
    disk = MemoryDatabase()
    await ledger(disk)
    with pytest.raises(CollatorFailed, match="another data directory"):
        await ledger(disk, name="another")
    bench = Bench(LedgerCollator(http=""))

    class Foreign(LedgerCollator):
        def genesis_head(self, para_id: Any) -> HeadData:
            return HeadData(b"the chain's")

    with pytest.raises(CollatorFailed, match=r"^args: these balances"):
        await Bench(Foreign(http="")).start()
    assert bench.genesis != Bench(LedgerCollator(http="", name="other")).genesis


async def test_a_damaged_store_is_noticed() -> None:
    disk = MemoryDatabase()
    bench = await ledger(disk)
    key, _ = next(bench.collator.services.store.scan(b"account/"))
    bench.collator.services.store.write({key: None})
    with pytest.raises(CollatorFailed, match="damaged"):
        await ledger(disk)


# HTTP


def sent_in_vain(url: str, amount: int) -> tuple[int, str]:
    """Status and line of a refusal, read in the client's thread: the server is in the test's."""
    with pytest.raises(HTTPError) as refused:
        client.send(url, ALICE, BOB.public, amount)
    return refused.value.code, json.load(refused.value)["error"]


def at_work(collator: LedgerCollator) -> AbstractAsyncContextManager[None]:
    return running(
        collator,
        para_id=PARA,
        genesis_head=collator.genesis_head(PARA),
        database=MemoryDatabase(),
        journal=ListJournal(),
        clock=TrioClock(),
    )


async def test_where_the_usual_port_is_taken_any_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        usual = f"127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setattr("parahost.parachains.ledger.collator.DEFAULT_HTTP", usual)
        collator = LedgerCollator()
        async with at_work(collator):
            assert collator.url.startswith("http://127.0.0.1:")
            assert collator.url != f"http://{usual}"


async def test_a_user_sends_a_transfer_over_http() -> None:
    collator = LedgerCollator(http="127.0.0.1:0")
    with trio.fail_after(30):
        async with at_work(collator):
            sent = await trio.to_thread.run_sync(client.send, collator.url, ALICE, BOB.public, 25)
            assert sent["status"] == "pending"
            refused = await trio.to_thread.run_sync(sent_in_vain, collator.url, 10 * DEV_BALANCE)
            assert refused[0] == 409 and refused[1].startswith("amount: ")
            taken = LedgerCollator(http=collator.url.removeprefix("http://"))
            with pytest.raises(
                CollatorFailed,
                match=r"^args.http: cannot listen on 127[^(]*: Address already in use; give",
            ):
                await Bench(taken).start()


async def call(book: Book, method: str, path: str, body: bytes = b"") -> tuple[int, Any]:
    """One request to the application, without a socket."""
    sent: list[dict[str, Any]] = []
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
        "root_path": "",
        "scheme": "http",
        "server": ("test", 80),
        "http_version": "1.1",
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await application(book)(scope, receive, send)
    start, *parts = sent
    return start["status"], json.loads(b"".join(part["body"] for part in parts))


async def test_what_one_can_ask() -> None:
    bench = await ledger()
    book = book_of(bench)
    body = client.to_json(transfer(bench, 7, 0))
    status, answer = await call(book, "POST", "/transfers", json.dumps(body).encode())
    assert (status, answer["status"]) == (202, "pending")
    assert await call(book, "GET", f"/transfers/{answer['hash']}") == (200, answer)
    bench.collator.on_included(await bench.checked("ledger", bench.genesis))
    _, account = await call(book, "GET", f"/accounts/0x{BOB.public.hex()}")
    assert (account["balance"], account["at"]["number"]) == (str(DEV_BALANCE + 7), 1)
    _, head = await call(book, "GET", "/head")
    assert (head["included"]["number"], head["final"]["number"]) == (1, 0)
    assert (await call(book, "GET", f"/accounts/0x{bytes(32).hex()}"))[0] == 404
    assert (await call(book, "GET", f"/transfers/0x{bytes(32).hex()}"))[0] == 404


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"amount": DEV_BALANCE + 1}, 400, "signature: "),
        ({"amount": -1}, 400, "amount: "),
        ({"amount": "1e3"}, 400, "amount: "),
        ({"amount": True}, 400, "amount: "),
        ({"nonce": 2**64}, 400, "nonce: "),
        ({"from": "0x12"}, 400, "from: "),
        ({"to": None}, 400, "to: "),
        ({"memo": "hello"}, 400, "memo: "),
        ({"signature": "zz" * 64}, 400, "signature: "),
        ({"memo": "x" * 5000}, 413, "the body has more"),
    ],
)
async def test_bad_input_is_answered_in_one_line(
    change: dict[str, Any], status: int, error: str
) -> None:
    bench = await ledger()
    body = json.dumps({**client.to_json(transfer(bench, 7, 0)), **change}).encode()
    answered, answer = await call(book_of(bench), "POST", "/transfers", body)
    assert answered == status
    assert answer["error"].startswith(error) and "\n" not in answer["error"]


async def test_refusals_say_what_would_be_right() -> None:
    bench = await ledger()
    chain = LedgerHead.decode(bench.genesis).chain
    nobody = sr25519.Keypair.from_uri("//Nobody")
    for sent, status, error in (
        (transfer(bench, 1, 5), 409, "nonce: 5, where 0 comes next"),
        (transfer(bench, DEV_BALANCE + 1, 0), 409, "amount: more than the sender has"),
        (client.sign_transfer(nobody, BOB.public, 1, 0, chain), 404, "from: there is no"),
        (client.sign_transfer(ALICE, BOB.public, 1, 0, bytes(32)), 400, "signature: "),
    ):
        body = json.dumps(client.to_json(sent)).encode()
        answered, answer = await call(book_of(bench), "POST", "/transfers", body)
        assert (answered, answer["error"][: len(error)]) == (status, error)


@given(st.binary(max_size=200) | st.from_regex(r'\{"from": .{0,40}\}').map(str.encode))
def test_no_body_does_more_than_be_refused(body: bytes) -> None:
    with pytest.raises(HTTPException) as refused:
        read_transfer(body)
    assert refused.value.status_code == 400


def test_a_refused_transfer_carries_its_evidence() -> None:
    collator = LedgerCollator(http="")
    head = LedgerHead.decode(collator.genesis_head(PARA))
    sent = client.sign_transfer(ALICE, BOB.public, 1, 1, head.chain)
    state = collator._genesis(PARA)
    with pytest.raises(TransferRefused) as refused:
        state.apply(sent)
    assert (refused.value.transfer, refused.value.why) == (sent, "nonce")
