"""``parahost keys``: secret and public keys."""

from __future__ import annotations

import json
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from parahost.cli.failure import BadInput

app = typer.Typer(help="Make, inspect and insert keys.", no_args_is_help=True)

Uri = Annotated[
    str,
    typer.Argument(
        help="A phrase, 0x and a seed, or //Alice and the like; - reads it from standard input."
    ),
]


class Purpose(StrEnum):
    """What a key is for."""

    BABE = "babe"
    GRANDPA = "grandpa"
    PARACHAIN = "parachain"
    COLLATOR = "collator"
    ACCOUNT = "account"


def _secret(uri: str) -> str:
    """The secret itself: what stands on the command line, others can see in the list of
    processes."""
    if uri != "-":
        return uri
    lines = sys.stdin.read().split("\n", 1)
    if lines[1:] not in ([], [""]) or not lines[0].strip():
        raise BadInput("standard input: one line with the secret belongs there")
    return lines[0].strip()


def _describe(uri: str, purpose: Purpose) -> dict[str, str]:
    from parahost.crypto.keystore import keypair_from_uri
    from parahost.ports import KeyType
    from parahost.primitives.ss58 import ss58_encode

    public = keypair_from_uri(KeyType[purpose.name], uri).public
    scheme = "ed25519" if purpose is Purpose.GRANDPA else "sr25519"
    return {
        "scheme": scheme,
        "purpose": purpose.value,
        "public": f"0x{public.hex()}",
        "address": ss58_encode(public),
    }


@app.command()
def generate(
    purpose: Annotated[Purpose, typer.Option(help="What the key is for.")] = Purpose.ACCOUNT,
) -> None:
    """Make a new key and print it, its secret phrase first, as JSON."""
    from parahost.crypto.secret_uri import phrase_from_entropy

    phrase = phrase_from_entropy(os.urandom(16))
    typer.echo(json.dumps({"phrase": phrase, **_describe(phrase, purpose)}, indent=2))


@app.command()
def inspect(
    uri: Uri,
    purpose: Annotated[Purpose, typer.Option(help="What the key is for.")] = Purpose.ACCOUNT,
) -> None:
    """Print the public key of a secret and its SS58 address, as JSON."""
    typer.echo(json.dumps(_describe(_secret(uri), purpose), indent=2))


@app.command()
def insert(
    base_path: Annotated[Path, typer.Option(help="The node's base path.")],
    uri: Uri,
    purpose: Annotated[Purpose, typer.Option(help="What the key is for.")],
) -> None:
    """Put a key into a node's keystore."""
    from parahost.crypto.keystore import KeyDirectory
    from parahost.ports import KeyType
    from parahost.process.base_path import BasePath

    public = KeyDirectory(BasePath(base_path).keystore).insert(KeyType[purpose.name], _secret(uri))
    typer.echo(f"0x{public.hex()}")


@app.command()
def reset_promises(
    base_path: Annotated[Path, typer.Option(help="The node's base path.")],
) -> None:
    """Begin a new record of what a node's keys have signed; the old one is kept aside.

    Only when no other node has these keys and this one has been out of the network for a whole
    session: the keys could contradict what they signed before.
    """
    from parahost.process.base_path import BasePath
    from parahost.process.promises import reset

    aside = reset(BasePath(base_path))
    typer.echo("there was no record" if aside is None else f"the old record is in {aside}")
