"""The ledger over HTTP: ``POST /transfers``, ``GET /transfers/{hash}``, ``GET /accounts/{id}``,
``GET /head``. Bytes are hex with ``0x`` before it, amounts are numbers or decimal texts. An error
is a JSON object with one line, ``error``."""

from __future__ import annotations

import json
import re
import socket
from typing import Any

import hypercorn.trio
from hypercorn.config import Config
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from parahost.parachains.ledger.book import Book, BookFull, Entry
from parahost.parachains.ledger.state import (
    MAX_LEDGER_BALANCE,
    MAX_NONCE,
    Transfer,
    TransferRefused,
)

MAX_HTTP_BYTES = 4096
_FIELDS = {"from": 32, "to": 32, "signature": 64}
_REFUSALS = {
    "signature": (400, "signature: it is not the sender's over this transfer on this ledger"),
    "no such account": (404, "from: there is no such account"),
    "balance": (409, "amount: more than the sender has, after the transfers that wait"),
    "overflow": (409, "amount: more than the receiver can hold"),
}


def listen(host: str, port: int) -> socket.socket:
    """:raises OSError: when the address is taken or not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host.strip("[]"), port), family=family)


async def serve(listener: socket.socket, book: Book) -> None:
    """Answer until cancelled; the socket is closed then."""
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.accesslog = config.errorlog = None
    await hypercorn.trio.serve(application(book), config)  # type: ignore[arg-type]


def application(book: Book) -> Starlette:
    """The ASGI application."""

    async def post_transfer(request: Request) -> JSONResponse:
        transfer = read_transfer(await _body(request))
        try:
            book.add(transfer)
        except TransferRefused as refused:
            raise _refusal(refused, book) from refused
        except BookFull as error:
            raise HTTPException(503, str(error)) from error
        return JSONResponse(_status(book, transfer.hash()), 202)

    async def get_transfer(request: Request) -> JSONResponse:
        return JSONResponse(_status(book, _path_bytes(request, "hash")))

    async def get_account(request: Request) -> JSONResponse:
        account_id = _path_bytes(request, "id")
        account = book.included.state.account(account_id)
        if account is None:
            raise HTTPException(404, "there is no such account")
        return JSONResponse(
            {
                "id": _hex(account_id),
                "balance": str(account.balance),
                "nonce": account.nonce,
                "next_nonce": book.next_nonce(account_id),
                "at": _describe(book.included),
            }
        )

    async def get_head(_: Request) -> JSONResponse:
        chain = _hex(book.final.head.chain)
        included, final = _describe(book.included), _describe(book.final)
        return JSONResponse({"chain": chain, "included": included, "final": final})

    return Starlette(
        routes=[
            Route("/transfers", post_transfer, methods=["POST"]),
            Route("/transfers/{hash}", get_transfer),
            Route("/accounts/{id}", get_account),
            Route("/head", get_head),
        ],
        exception_handlers={HTTPException: _on_error},
    )


# Reading what is sent


def read_transfer(body: bytes) -> Transfer:
    """:raises HTTPException: 400, with the field that is wrong."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, f"the body is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise HTTPException(400, "the body is not a JSON object")
    for name in fields:
        if name not in (*_FIELDS, "amount", "nonce"):
            raise HTTPException(400, f"{name[:40]}: unknown field")
    found = {name: _bytes(name, fields.get(name), size) for name, size in _FIELDS.items()}
    amount = _number("amount", fields.get("amount"), MAX_LEDGER_BALANCE)
    nonce = _number("nonce", fields.get("nonce"), MAX_NONCE)
    return Transfer(found["from"], found["to"], amount, nonce, found["signature"])


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_HTTP_BYTES:
            raise HTTPException(413, f"the body has more than {MAX_HTTP_BYTES} bytes")
    return body


def _bytes(name: str, value: object, size: int) -> bytes:
    if isinstance(value, str) and re.fullmatch(f"(0x)?[0-9a-fA-F]{{{2 * size}}}", value):
        return bytes.fromhex(value.removeprefix("0x"))
    raise HTTPException(400, f"{name}: {size} bytes in hex are expected")


def _path_bytes(request: Request, name: str) -> bytes:
    return _bytes(name, request.path_params[name], 32)


def _number(name: str, value: object, largest: int) -> int:
    if isinstance(value, str) and re.fullmatch("[0-9]{1,39}", value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= largest:
        return value
    raise HTTPException(400, f"{name}: a number from 0 to {largest} is expected")


# Telling what there is


def _refusal(refused: TransferRefused, book: Book) -> HTTPException:
    if refused.why == "nonce":
        expected = book.next_nonce(refused.transfer.sender)
        return HTTPException(409, f"nonce: {refused.transfer.nonce}, where {expected} comes next")
    return HTTPException(*_REFUSALS[refused.why])


def _status(book: Book, transfer_hash: bytes) -> dict[str, Any]:
    status = book.status(transfer_hash)
    if status is None:
        raise HTTPException(404, "there is no such transfer")
    return {"hash": _hex(transfer_hash), "status": status}


def _describe(entry: Entry) -> dict[str, Any]:
    head = entry.head
    return {
        "number": head.number,
        "hash": _hex(head.hash()),
        "state_root": _hex(head.state_root),
    }


def _on_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code)


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
