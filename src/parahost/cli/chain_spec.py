"""``parahost chain-spec``: what a chain begins with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Make chain specs.", no_args_is_help=True)


@app.callback()
def chain_spec() -> None:
    """Make chain specs."""


@app.command()
def new(
    validators: Annotated[int, typer.Option(help="How many validators.")] = 4,
    parachain: Annotated[
        list[str] | None, typer.Option(help="A parachain: an example's name or a TOML file.")
    ] = None,
    parathread: Annotated[list[str] | None, typer.Option(help="A parathread, likewise.")] = None,
    balance: Annotated[
        list[str] | None,
        typer.Option(help="ACCOUNT=TOKENS: what another account has, to pay its fees."),
    ] = None,
    slot: Annotated[float, typer.Option(help="Seconds per slot.")] = 6.0,
    epoch: Annotated[
        int | None, typer.Option(help="Slots per epoch, which is a session. [100]")
    ] = None,
    config: Annotated[
        list[str] | None,
        typer.Option(help="NAME=NUMBER,...: parameters that the genesis decides."),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Where to; else printed.")] = None,
) -> None:
    """Make the spec of a local chain: validators //validator-1 and so on (session keys
    //validator-1//babe, //gran, //para), governed by //Alice. These, the
    collators of its paras and //Alice to //Ferdie have a million tokens each."""
    from parahost.devnet.plan import (
        EPOCH_SLOTS,
        DevnetOptions,
        check_options,
        endowment,
        local_chain,
    )
    from parahost.devnet.settings import parse_settings
    from parahost.parachains import load_specs

    specs = load_specs([*(parachain or []), *(parathread or [])])
    chains, threads = specs[: len(parachain or [])], specs[len(parachain or []) :]
    options = DevnetOptions(
        validators,
        tuple(chains),
        tuple(threads),
        slot,
        Path(),
        epoch_slots=EPOCH_SLOTS if epoch is None else epoch,
        settings=parse_settings(config or ()),
    )
    check_options(options)
    text = local_chain(options, tuple(map(endowment, balance or ()))).to_json()
    if output is None:
        typer.echo(text, nl=False)
    else:
        output.write_text(text)
