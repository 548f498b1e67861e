"""``parahost devnet ctl``: a running devnet, told what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from parahost.devnet.requests import ControlRequest

app = typer.Typer(
    help="Tell a running devnet what to do: pause, kill, add nodes, cut links, set clocks wrong.",
    no_args_is_help=True,
)

BasePathOption = Annotated[
    Path, typer.Option("--base-path", help="Where the devnet keeps its files.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
NodeName = Annotated[str, typer.Argument(metavar="NODE", help="The node's name.")]
DEFAULT = Path("devnet-data")


@app.command()
def status(base_path: BasePathOption = DEFAULT, as_json: AsJson = False) -> None:
    """Tell how the nodes and paras are."""
    from parahost.devnet.requests import TellStatus

    answer = _asked(base_path, TellStatus(), as_json)
    if as_json:
        return
    typer.echo(
        f"{answer['base_path']}: process {answer['pid']}, best #{answer['best']},"
        f" final #{answer['finalized']}"
    )
    for node in answer["nodes"]:
        typer.echo(_node_line(node))
    for para in answer["paras"]:
        typer.echo(
            f"para {para['para']} ({para['name']}): {para['included']} included,"
            f" {para['finalized']} final, head {para['head'] or 'unknown'}"
        )


def _node_line(node: dict[str, Any]) -> str:
    line = f"{node['name']:<16} {node['state']:<8} #{node['best']}, final #{node['finalized']}"
    if node["pid"] is not None:
        line += f", process {node['pid']}"
    line += f", {node['rpc']}"
    if node["restarts"]:
        line += f", {node['restarts']} restarts"
    if node["clock_skew_s"]:
        line += f", clock {node['clock_skew_s']:+g} s"
    if node["cut_from"]:
        line += f", cut from {', '.join(node['cut_from'])}"
    return line


@app.command()
def pause(node: NodeName, base_path: BasePathOption = DEFAULT, as_json: AsJson = False) -> None:
    """Let a node stand still (SIGSTOP)."""
    from parahost.devnet.requests import PauseNode

    _told(base_path, PauseNode(node), as_json)


@app.command()
def resume(node: NodeName, base_path: BasePathOption = DEFAULT, as_json: AsJson = False) -> None:
    """Let a paused node go on."""
    from parahost.devnet.requests import ResumeNode

    _told(base_path, ResumeNode(node), as_json)


@app.command()
def kill(node: NodeName, base_path: BasePathOption = DEFAULT, as_json: AsJson = False) -> None:
    """End a node as a crash does (SIGKILL). It stays down until `restart`."""
    from parahost.devnet.requests import KillNode

    _told(base_path, KillNode(node), as_json)


@app.command()
def restart(node: NodeName, base_path: BasePathOption = DEFAULT, as_json: AsJson = False) -> None:
    """End a node as an operator does if it runs (SIGTERM), and start it."""
    from parahost.devnet.requests import RestartNode

    _told(base_path, RestartNode(node), as_json)


@app.command()
def add(
    role: Annotated[str, typer.Argument(help="validator, full or collator.")],
    parachain: Annotated[
        str | None,
        typer.Argument(
            help="For a collator: a para's number in the devnet, an example's name or a TOML file."
        ),
    ] = None,
    id_: Annotated[
        int | None, typer.Option("--id", help="The para's number, where its spec names none.")
    ] = None,
    base_path: BasePathOption = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Let a node come to the network; it comes again at the next start.

    A validator gets a balance, puts a part of it at stake, registers its session keys, and
    governance chooses it: it validates from the next session but one. A para that the chain does
    not have yet: see `parahost para register`.
    """
    from parahost.devnet.requests import AddNode

    request = AddNode(role, parachain if parachain is None else _absolute(parachain), id_)
    request.check()
    _told(base_path, request, as_json)


def _absolute(parachain: str) -> str:
    """The devnet may run in another folder."""
    path = Path(parachain)
    return str(path.resolve()) if path.suffix == ".toml" else parachain


@app.command()
def cut(
    one: NodeName, other: NodeName, base_path: BasePathOption = DEFAULT, as_json: AsJson = False
) -> None:
    """Let two nodes have no connection with each other. What they say may still come by others."""
    from parahost.devnet.requests import CutLink

    _told(base_path, CutLink(one, other), as_json)


@app.command()
def heal(
    one: NodeName, other: NodeName, base_path: BasePathOption = DEFAULT, as_json: AsJson = False
) -> None:
    """Let two nodes have a connection with each other again."""
    from parahost.devnet.requests import HealLink

    _told(base_path, HealLink(one, other), as_json)


@app.command(context_settings={"ignore_unknown_options": True})
def skew(
    node: NodeName,
    seconds: Annotated[float, typer.Argument(help="How far ahead; below 0: behind; 0: right.")],
    base_path: BasePathOption = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Set a node's clock wrong."""
    from parahost.devnet.requests import SkewClock

    request = SkewClock(node, seconds)
    request.check()
    _told(base_path, request, as_json)


def _told(base_path: Path, request: ControlRequest, as_json: bool) -> None:
    answer = _asked(base_path, request, as_json)
    if not as_json:
        typer.echo(answer["text"])


def _asked(base_path: Path, request: ControlRequest, as_json: bool) -> dict[str, Any]:
    from parahost.devnet.control_socket import ControlFailed, ask

    try:
        answer = ask(base_path, request)
    except ControlFailed as error:
        if as_json:
            typer.echo(json.dumps({"error": {"kind": error.kind, "message": error.message}}))
        raise
    if as_json:
        typer.echo(json.dumps(answer))
    return answer
