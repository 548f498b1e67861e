"""The live view of a devnet, and its plain lines."""

from __future__ import annotations

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from parahost.devnet.observer import Observer
from parahost.devnet.processes import Usage


def render(observer: Observer, usage: dict[str, Usage], now_s: float) -> RenderableType:
    """The whole picture, ``now_s`` seconds after the start."""
    return Group(
        Panel(
            Text.assemble(
                ("relay chain  ", "bold"),
                f"best {observer.best_number}   final {observer.finalized_number}   ",
                f"{now_s:.0f} s",
            )
        ),
        Columns([_nodes(observer, usage), _cores(observer)], padding=(0, 2)),
        _paras(observer, now_s),
    )


def _nodes(observer: Observer, usage: dict[str, Usage]) -> Table:
    table = Table("node", "best", "final", "MB", "CPU s", title="nodes", title_justify="left")
    for name, node in observer.nodes.items():
        used = usage.get(name, Usage())
        style = None if node.started and used.pid else "dim"
        table.add_row(
            name,
            str(node.best),
            str(node.final),
            f"{used.peak_rss_mb:.0f}",
            f"{used.cpu_s:.0f}",
            style=style,
        )
    return table


def _cores(observer: Observer) -> Table:
    table = Table("core", "pending availability", title="cores", title_justify="left")
    for core in sorted(observer.cores):
        table.add_row(str(core), observer.cores[core])
    return table


def _paras(observer: Observer, now_s: float) -> Table:
    table = Table("para", "stage", "included", "final", "per minute", "last head", title="paras")
    table.title_justify = "left"
    for para_id, para in observer.paras.items():
        last = para.blocks[-1] if para.blocks else None
        table.add_row(
            f"{para_id} {para.name}",
            para.stage,
            str(len(para.blocks)),
            str(para.finalized),
            f"{para.rate_per_minute(now_s):.1f}",
            f"{last.head} in #{last.relay_number}" if last else "",
        )
    return table


class PlainLines:
    """Says in lines what is new since the last time."""

    def __init__(self) -> None:
        self._best = self._final = 0
        self._told: dict[int, int] = {}
        self._booted = False

    def news(self, observer: Observer, now_s: float) -> list[str]:
        """Lines to print, oldest first."""
        lines = []
        if observer.boot_s is not None and not self._booted:
            self._booted = True
            lines.append(f"{observer.boot_s:8.1f} s  all {len(observer.nodes)} nodes are up")
        for para_id, para in observer.paras.items():
            for block in para.blocks[self._told.get(para_id, 0) :]:
                lines.append(
                    f"{block.included_s:8.1f} s  para {para_id} {para.name}: "
                    f"{block.candidate} included in relay block #{block.relay_number}"
                )
            self._told[para_id] = len(para.blocks)
        if (observer.best_number, observer.finalized_number) != (self._best, self._final):
            self._best, self._final = observer.best_number, observer.finalized_number
            lines.append(f"{now_s:8.1f} s  relay chain: best #{self._best}, final #{self._final}")
        return lines
