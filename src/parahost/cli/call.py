"""``parahost call``: make a call on a running chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from parahost.cli.chain_options import (
    DEFAULT_URL,
    DryRun,
    KeyFile,
    OfFinalized,
    SchemeName,
    SignerUri,
    Url,
    chosen_signer,
    show,
    split_name,
    typed,
)

if TYPE_CHECKING:
    from parahost.client import ChainClient, Signer


def call(
    name: Annotated[str, typer.Argument(metavar="PALLET.CALL", help="What to call.")],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ARGS...",
            help="Its arguments in order: numbers, accounts, 0x and hex, JSON, @FILE.",
        ),
    ] = None,
    url: Url = DEFAULT_URL,
    signer: SignerUri = None,
    key_file: KeyFile = None,
    scheme: SchemeName = "sr25519",
    sudo: Annotated[bool, typer.Option("--sudo", help="As governance, with the root key.")] = False,
    tip: Annotated[int, typer.Option(help="Paid beside the fee, for an earlier place.")] = 0,
    dry_run: DryRun = False,
    finalized: OfFinalized = False,
) -> None:
    """Make a call on a running chain, wait for its block, and print what has happened, as JSON."""
    from parahost.client import ChainClient

    chain = ChainClient(url)
    made = chain.codec.encode_call(*split_name(name), [typed(each) for each in arguments or ()])
    who = chosen_signer(signer, key_file, scheme)
    make(chain, made, who, sudo=sudo, tip=tip, dry_run=dry_run, finalized=finalized)


def make(
    chain: ChainClient,
    call: bytes,
    signer: Signer,
    *,
    sudo: bool = False,
    tip: int = 0,
    dry_run: bool = False,
    finalized: bool = False,
) -> None:
    """Send the call, or tell what would be sent."""
    if sudo:
        call = chain.as_root(call)
    extrinsic = chain.signed(call, signer, tip=tip)
    chain.check(extrinsic)
    if dry_run:
        show(
            {
                "signer": chain.codec.address(signer.account),
                "call": call,
                "decoded": chain.codec.decode(chain.metadata.calls_type, call),
                "extrinsic": bytes(extrinsic),
                "fee": chain.fee(extrinsic),
            }
        )
        return
    found = chain.submit_and_wait(extrinsic, finalized=finalized)
    show(
        {
            "block": found.block_hash,
            "number": found.block_number,
            "index": found.index,
            "events": [{each.name: each.fields} for each in found.events],
        }
    )
