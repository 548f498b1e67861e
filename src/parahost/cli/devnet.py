"""``parahost devnet``: a local network of processes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parahost.cli.failure import BadInput
from parahost.devnet.condition import UntilCondition


def devnet(
    validators: Annotated[int, typer.Option(help="How many validators.")] = 4,
    parachain: Annotated[
        list[str] | None,
        typer.Option(help="A parachain: a shipped example's name or a TOML file. Repeat for more."),
    ] = None,
    parathread: Annotated[list[str] | None, typer.Option(help="A parathread, likewise.")] = None,
    slot: Annotated[float, typer.Option(help="Seconds per slot.")] = 6.0,
    base_path: Annotated[Path, typer.Option(help="Where the nodes keep their files.")] = Path(
        "devnet-data"
    ),
    until: Annotated[
        str | None, typer.Option(help="Stop at included=K, finalized=K or time=SECONDS.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(help="Give up after so many seconds, with status 1.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write a JSON report there.")] = None,
    collator_ban: Annotated[
        float,
        typer.Option(
            min=0,
            max=86400,
            help="Seconds for which validators do not hear a collator after an invalid block;"
            " doubled each time.",
        ),
    ] = 10.0,
    plain: Annotated[bool, typer.Option("--plain", help="Print lines, no live view.")] = False,
) -> None:
    """Run a relay chain with its parachains on this machine: validators and a collator for each
    para, every one a process. Without --parachain and --parathread: adder, ledger, a parathread.

    Ctrl-C ends it; the same command on the same base path goes on where it was.
    """
    from parahost.devnet.launcher import Launcher
    from parahost.devnet.usage import started_at

    begun = started_at()
    condition = UntilCondition.parse(until) if until is not None else None
    if timeout is not None and not 0 < timeout < float("inf"):
        raise BadInput(f"--timeout {timeout:g}: not a number of seconds above 0")
    if report is not None and (report.is_dir() or not report.parent.is_dir()):
        raise BadInput(f"--report {report}: name a file in a directory that is there")
    with Launcher() as launcher:
        import trio

        from parahost.devnet.devnet import Devnet
        from parahost.devnet.plan import DevnetOptions, base_path_taken, make_plan
        from parahost.parachains import load_specs

        if parachain is None and parathread is None:
            parachain, parathread = ["adder", "ledger"], ["adder"]
        specs = load_specs([*(parachain or []), *(parathread or [])])
        chains, threads = specs[: len(parachain or [])], specs[len(parachain or []) :]
        options = DevnetOptions(
            validators, tuple(chains), tuple(threads), slot, base_path, collator_ban
        )
        with base_path_taken(base_path):
            network = Devnet(make_plan(options), launcher, started_at=begun, plain=plain)
            status = trio.run(
                lambda: network.run(until=condition, timeout_s=timeout, report=report)
            )
    raise typer.Exit(status)
