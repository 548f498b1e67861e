"""What the commands have in common that talk to a running chain: which node, who signs, and how
values are typed and shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parahost.cli.failure import BadInput

if TYPE_CHECKING:
    from parahost.client import Signer

DEFAULT_URL = "http://127.0.0.1:9944"
DEFAULT_SIGNER = "//Alice"

Url = Annotated[str, typer.Option(help="The node's JSON-RPC address.")]
SignerUri = Annotated[
    str | None, typer.Option("--signer", help="Whose key signs: //Alice and the like.")
]
KeyFile = Annotated[Path | None, typer.Option(help="A file with the secret that signs.")]
SchemeName = Annotated[str, typer.Option("--scheme", help="sr25519, ed25519 or ecdsa.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Tell what would be sent and what it costs; send nothing.")
]
OfFinalized = Annotated[
    bool, typer.Option("--finalized", help="Of the finalized chain, not of the best one.")
]


def chosen_signer(uri: str | None, key_file: Path | None, scheme: str) -> Signer:
    """:raises BadInput: when both a key and a file are given, or the scheme is none."""
    from parahost.client import Scheme, Signer

    if uri is not None and key_file is not None:
        raise BadInput("--signer and --key-file: give one of them")
    try:
        chosen = Scheme(scheme)
    except ValueError:
        raise BadInput(f"--scheme {scheme}: it is none of {', '.join(Scheme)}") from None
    if key_file is not None:
        return Signer.from_file(key_file, chosen)
    return Signer.from_uri(uri or DEFAULT_SIGNER, chosen)


def split_name(text: str) -> tuple[str, str]:
    """``Balances.transfer_all`` in its two parts.

    :raises BadInput: when it has not two.
    """
    pallet, _, name = text.partition(".")
    if not pallet or not name:
        raise BadInput(f"{text}: PALLET.NAME is expected, as Balances.transfer_keep_alive")
    return pallet, name


def typed(text: str) -> Any:
    """A value as somebody types it: JSON, or a word that is text; ``@FILE`` is what a file has.

    :raises BadInput: when the file cannot be read.
    """
    if text.startswith("@"):
        try:
            return Path(text[1:]).read_bytes()
        except OSError as error:
            raise BadInput(f"{text}: {error.strerror}") from error
    try:
        return json.loads(text)
    except ValueError:
        return text


def show(value: Any) -> None:
    """Print a value as one line of JSON; bytes in hex."""
    typer.echo(json.dumps(value, default=_shown))


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    raise TypeError(f"{value!r} has no JSON form")
