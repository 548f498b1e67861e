"""``parahost new``: the beginning of a parachain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def new(
    name: Annotated[str, typer.Argument(help="The parachain's name, and its new folder's.")],
    language: Annotated[
        Literal["c", "rust"], typer.Option(help="What its validation function is written in.")
    ] = "c",
    id_: Annotated[
        int, typer.Option("--id", min=0, max=(1 << 32) - 1, help="The para's number.")
    ] = 2000,
) -> None:
    """Write a parachain that runs at once: function with its Wasm, collator, TOML, test."""
    from parahost.parachains.new_project import write_project

    write_project(Path(name), language, id_)
    typer.echo(
        f"{name}/ is a parachain that counts.\n"
        f"    parahost devnet --parachain {name}/{name}.toml    # runs it\n"
        f"    pytest {name}    # tests it (pip install 'parahost[testing]')"
    )
