"""``parahost devnet``: a local network of processes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parahost.cli import devnet_ctl
from parahost.cli.default_command import RunsByDefault
from parahost.cli.failure import BadInput
from parahost.devnet.condition import UntilCondition

DEFAULT_BASE_PATH = Path("devnet-data")

app = typer.Typer(
    cls=RunsByDefault,
    help="A local network of processes. `parahost devnet [OPTIONS]` is short for `parahost devnet"
    " run`, whose --help tells the options.",
)
app.add_typer(devnet_ctl.app, name="ctl")


@app.command()
def run(
    validators: Annotated[int, typer.Option(help="How many validators.")] = 4,
    parachain: Annotated[
        list[str] | None,
        typer.Option(help="A parachain: a shipped example's name or a TOML file. Repeat for more."),
    ] = None,
    parathread: Annotated[list[str] | None, typer.Option(help="A parathread, likewise.")] = None,
    slot: Annotated[float, typer.Option(help="Seconds per slot.")] = 6.0,
    epoch: Annotated[
        int | None, typer.Option(help="Slots per epoch, which is a session. [100]")
    ] = None,
    config: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=NUMBER,...: parameters that the genesis decides, as"
            " max_pov_size=65536,acceptance_period=20."
        ),
    ] = None,
    base_path: Annotated[
        Path | None, typer.Option(help="Where the nodes keep their files. [devnet-data]")
    ] = None,
    tmp: Annotated[
        bool, typer.Option("--tmp", help="On a temporary base path, which goes at the end.")
    ] = False,
    fresh: Annotated[
        bool,
        typer.Option(
            "--fresh",
            help="Begin anew: first delete what an earlier devnet has made on the base path, and"
            " nothing else.",
        ),
    ] = False,
    no_collator: Annotated[
        bool,
        typer.Option("--no-collator", help="Start no collators; tell how to do it by hand."),
    ] = False,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch",
            help="Follow the paras' files: upgrade a para whose Wasm changes, start its collator"
            " again when its module does.",
        ),
    ] = False,
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
    if tmp and (fresh or base_path is not None):
        raise BadInput("--tmp: it has a new base path; leave out --base-path and --fresh")
    with Launcher() as launcher:
        from contextlib import ExitStack

        import trio

        from parahost.devnet.base_path import base_path_taken, clear, temporary_base_path
        from parahost.devnet.devnet import Devnet
        from parahost.devnet.plan import EPOCH_SLOTS, DevnetOptions, check_options, make_plan
        from parahost.devnet.ports import PortClaims
        from parahost.devnet.settings import parse_settings
        from parahost.parachains import load_specs

        if parachain is None and parathread is None:
            parachain, parathread = ["adder", "ledger"], ["adder"]
        specs = load_specs([*(parachain or []), *(parathread or [])])
        chains, threads = specs[: len(parachain or [])], specs[len(parachain or []) :]
        with ExitStack() as stack:
            root = base_path or DEFAULT_BASE_PATH
            if tmp:
                root = stack.enter_context(temporary_base_path())
            options = DevnetOptions(
                validators,
                tuple(chains),
                tuple(threads),
                slot,
                root,
                collator_ban,
                EPOCH_SLOTS if epoch is None else epoch,
                parse_settings(config or ()),
                collators=not no_collator,
            )
            check_options(options)
            stack.enter_context(base_path_taken(root))
            if fresh:
                clear(root)
            plan = make_plan(options, stack.enter_context(PortClaims()))
            network = Devnet(plan, launcher, started_at=begun, plain=plain, follows_files=watch)
            status = trio.run(
                lambda: network.run(until=condition, timeout_s=timeout, report=report)
            )
    raise typer.Exit(status)


@app.command("report")
def report_(
    base_path: Annotated[
        Path, typer.Option(help="Where the devnet keeps its files.")
    ] = DEFAULT_BASE_PATH,
    output: Annotated[
        Path | None, typer.Option(help="The archive; devnet-report-TIME.tar.gz if not given.")
    ] = None,
) -> None:
    """Write what a bug report needs into an archive: versions, plan, states, the logs' ends; no
    keys. The devnet may run, or have ended."""
    from datetime import datetime

    from parahost.devnet.bundle import write_bundle

    if output is None:
        output = Path(f"devnet-report-{datetime.now():%Y%m%d-%H%M%S}.tar.gz")
    names = write_bundle(base_path, output)
    typer.echo(f"{output}: {len(names)} files, no keys; look through it before you pass it on")
