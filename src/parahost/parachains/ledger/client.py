"""Send a transfer to a ledger: ``python -m parahost.parachains.ledger.client //Alice //Bob 5``."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import Annotated, Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import typer

from parahost.crypto import sr25519
from parahost.crypto.secret_uri import SecretUriError
from parahost.parachains.ledger.collator import DEFAULT_HTTP
from parahost.parachains.ledger.state import Transfer

TIMEOUT_S = 10


def sign_transfer(
    sender: sr25519.Keypair, receiver: bytes, amount: int, nonce: int, chain: bytes
) -> Transfer:
    """A transfer for the ledger ``chain``, as ``GET /head`` names it."""
    draft = Transfer(sender.public, receiver, amount, nonce)
    return replace(draft, signature=sr25519.sign(sender, draft.message(chain)))


def to_json(transfer: Transfer) -> dict[str, Any]:
    """What ``POST /transfers`` takes."""
    return {
        "from": "0x" + transfer.sender.hex(),
        "to": "0x" + transfer.receiver.hex(),
        "amount": str(transfer.amount),
        "nonce": transfer.nonce,
        "signature": "0x" + transfer.signature.hex(),
    }


def send(url: str, sender: sr25519.Keypair, receiver: bytes, amount: int) -> dict[str, Any]:
    """Ask the collator for chain and nonce, sign, and send; gives hash and status.

    :raises URLError: when the collator cannot be reached or refuses.
    """
    chain = bytes.fromhex(_call(f"{url}/head")["chain"][2:])
    nonce = _call(f"{url}/accounts/0x{sender.public.hex()}")["next_nonce"]
    transfer = sign_transfer(sender, receiver, amount, nonce, chain)
    return _call(f"{url}/transfers", json.dumps(to_json(transfer)).encode())


def _call(url: str, body: bytes | None = None) -> dict[str, Any]:
    with urlopen(url, body, timeout=TIMEOUT_S) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def main(
    sender: Annotated[str, typer.Argument(help="The sender's secret URI, as //Alice.")],
    receiver: Annotated[str, typer.Argument(help="A public key in hex, or a secret URI.")],
    amount: Annotated[int, typer.Argument(min=0)],
    url: Annotated[
        str, typer.Option(help="Where the collator listens.")
    ] = f"http://{DEFAULT_HTTP}",
) -> None:
    """Send a transfer to a ledger's collator."""
    try:
        public = _public_key(receiver)
        answer = send(url.rstrip("/"), sr25519.Keypair.from_uri(sender), public, amount)
    except SecretUriError as error:
        sys.exit(f"not a key: {error}")
    except HTTPError as error:
        sys.exit(f"refused: {json.load(error).get('error', error)}")
    except (URLError, ValueError) as error:
        sys.exit(f"{url}: {error}")
    print(f"{answer['hash']} {answer['status']}")


def _public_key(text: str) -> bytes:
    if text.startswith("0x"):
        return bytes.fromhex(text[2:])
    return sr25519.Keypair.from_uri(text).public


if __name__ == "__main__":
    typer.run(main)
