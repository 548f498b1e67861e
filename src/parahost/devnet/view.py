"""The live view of a devnet, and its plain lines."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from parahost.devnet.observer import Observer, ParaPicture, Stage
from parahost.devnet.processes import Usage

MANY_NODES = 9
"""From so many on, they are shown two to a row, without their CPU time."""
BLOCKS_SHOWN = 6

_MEASURES = 4

STAGE_STYLES = {
    Stage.WAITING: "dim",
    Stage.CANDIDATE: "cyan",
    Stage.SECONDED: "cyan",
    Stage.BACKABLE: "blue",
    Stage.PENDING_AVAILABILITY: "yellow",
    Stage.INCLUDED: "green",
    Stage.TIMED_OUT: "red",
}


def render(observer: Observer, usage: Mapping[str, Usage], now_s: float) -> RenderableType:
    """The whole picture, ``now_s`` seconds after the start."""
    return Group(
        _relay_chain(observer, now_s),
        _nodes(observer, usage),
        _paras(observer, now_s),
        _cores(observer),
        Text("Ctrl-C ends it; the same command goes on where it was", style="dim"),
    )


def _relay_chain(observer: Observer, now_s: float) -> RenderableType:
    blocks = list(observer.recent)
    line = Text.assemble(
        ("relay chain", "bold"),
        f"  best #{observer.best_number}",
        f"  final #{observer.finalized_number}",
    )
    if len(blocks) > 1:
        rate = 60 * (len(blocks) - 1) / max(blocks[-1].at_s - blocks[0].at_s, 0.001)
        line.append(f"  {rate:.1f} blocks a minute")
    line.append(f"  {now_s:.0f} s", style="dim")
    newest = Text("  ").join(
        Text(
            f"#{block.number} {block.hash}",
            style="green" if block.number <= observer.finalized_number else "yellow",
        )
        for block in blocks[-BLOCKS_SHOWN:]
    )
    return Group(line, newest or Text("no block yet", style="dim"))


def _nodes(observer: Observer, usage: Mapping[str, Usage]) -> Table:
    names = list(observer.nodes)
    abreast = 2 if len(names) >= MANY_NODES else 1
    table = _table()
    for _ in range(abreast):
        table.add_column("node", no_wrap=True)
        table.add_column("", no_wrap=True)
        for title in ("best", "final", "MB", "CPU s")[: _MEASURES - abreast + 1]:
            table.add_column(title, justify="right", no_wrap=True)
    rows = -(-len(names) // abreast)
    columns = [names[start : start + rows] for start in range(0, len(names), rows)]
    for row in zip_longest(*columns):
        cells = (_node(observer, usage, name)[: 3 + _MEASURES - abreast] for name in row)
        table.add_row(*(cell for node in cells for cell in node))
    return table


def _node(observer: Observer, usage: Mapping[str, Usage], name: str | None) -> list[Text]:
    if name is None:
        return [Text()] * (2 + _MEASURES)
    node, used = observer.nodes[name], usage.get(name, Usage())
    if used.pid is None:
        state = Text("down", style="bold red")
    elif not node.started:
        state = Text("starts", style="yellow")
    elif used.restarts:
        state = Text(f"up ↻{used.restarts}", style="green")
    else:
        state = Text("up", style="green")
    style = "dim" if used.pid is None else ""
    behind = "yellow" if observer.best_number - node.best > 1 else style
    return [
        Text(name, style=style),
        state,
        Text(f"#{node.best}", style=behind),
        Text(f"#{node.final}", style=style),
        Text(f"{used.peak_rss_mb:.0f}", style=style),
        Text(f"{used.cpu_s:.0f}", style=style),
    ]


def _paras(observer: Observer, now_s: float) -> Table:
    table = _table("para", "candidate", "stage")
    for title in ("included", "final", "a minute"):
        table.add_column(title, justify="right")
    table.add_column("head", no_wrap=True)
    table.add_column("in", justify="right")
    for para_id, para in observer.paras.items():
        table.add_row(f"{para_id} {para.name}", *_para(para, now_s))
    return table


def _para(para: ParaPicture, now_s: float) -> list[Text | str]:
    last = para.blocks[-1] if para.blocks else None
    return [
        para.newest,
        Text(str(para.stage), style=STAGE_STYLES[para.stage]),
        str(len(para.blocks)),
        str(para.finalized),
        f"{para.rate_per_minute(now_s):.1f}",
        last.head if last else "",
        f"#{last.relay_number}" if last else "",
    ]


def _cores(observer: Observer) -> RenderableType:
    """What occupies each core, in one paragraph."""
    if not observer.cores:
        return Text("no core was occupied yet", style="dim")
    return Text("   ").join(
        Text.assemble((f"core {core}", "bold"), " ", _occupant(observer, hash_))
        for core, hash_ in sorted(observer.cores.items())
    )


def _occupant(observer: Observer, hash_: str) -> Text:
    candidate = observer.candidate(hash_)
    if candidate is None:
        return Text("free", style="dim")
    return Text(f"{candidate.para} {hash_}", style=STAGE_STYLES[candidate.stage])


def _table(*titles: str) -> Table:
    return Table(*titles, box=box.SIMPLE_HEAD, padding=(0, 1), header_style="bold", pad_edge=False)


class PlainLines:
    """Says in lines what is new since the last time."""

    def __init__(self) -> None:
        self._best = self._final = 0
        self._told: dict[int, float] = {}
        self._booted = False

    def news(self, observer: Observer, now_s: float) -> list[str]:
        """Lines to print, oldest first."""
        lines = []
        if observer.boot_s is not None and not self._booted:
            self._booted = True
            lines.append(f"{observer.boot_s:8.1f} s  all {len(observer.nodes)} nodes are up")
        for para_id, para in observer.paras.items():
            told = self._told.get(para_id, -1.0)
            for block in para.blocks:
                if block.included_s > told:
                    self._told[para_id] = block.included_s
                    lines.append(
                        f"{block.included_s:8.1f} s  para {para_id} {para.name}: "
                        f"{block.candidate} included in relay block #{block.relay_number}"
                    )
        if (observer.best_number, observer.finalized_number) != (self._best, self._final):
            self._best, self._final = observer.best_number, observer.finalized_number
            lines.append(f"{now_s:8.1f} s  relay chain: best #{self._best}, final #{self._final}")
        return lines
