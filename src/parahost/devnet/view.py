"""The live view of a devnet, and its plain lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from parahost.devnet.observer import CandidateStage, Observer, ParaPicture
from parahost.devnet.processes import Usage
from parahost.devnet.verdicts import OPEN, DisputePicture, PunishmentPicture, Verdicts
from parahost.runtime.balances import UNIT

WIDE = 96
"""Columns from which on the paras' heads are shown too."""
_BLOCK_WIDTH = 20
_NODE_WIDTH = 40
_OTHER_LINES = 8
"""Lines beside the rows of nodes and paras: two titles, two headers, two blanks, cores, a hint."""
_LEAST_PARAS = 3
SHOWN_VERDICTS = 3
"""So many disputes, and so many punishments."""

STAGE_STYLES = {
    CandidateStage.WAITING: "dim",
    CandidateStage.CANDIDATE: "cyan",
    CandidateStage.SECONDED: "cyan",
    CandidateStage.BACKABLE: "blue",
    CandidateStage.PENDING_AVAILABILITY: "yellow",
    CandidateStage.INCLUDED: "green",
    CandidateStage.ACCEPTED: "bold green",
    CandidateStage.TIMED_OUT: "red",
}


def render(
    observer: Observer,
    usage: Mapping[str, Usage],
    now_s: float,
    *,
    width: int,
    height: int,
    told: Sequence[str] = (),
) -> RenderableType:
    """The whole picture, ``now_s`` seconds after the start, for a terminal of that size. Where
    there is room left: checks, disputes and what they cost, the paras' last refusals, and of what
    was told the last lines."""
    room = max(height - _OTHER_LINES, 2)
    paras = min(len(observer.paras), max(_LEAST_PARAS, room // 2))
    nodes, node_rows = _nodes(observer, usage, width, room - paras)
    left = max(room - paras - node_rows, 0)
    notes = [*_verdicts(observer.verdicts), *_refusals(observer, now_s)][:left]
    left -= len(notes)
    notes += [_line(words) for words in told[len(told) - min(left, len(told)) :]]
    return Group(
        _relay_chain(observer, now_s),
        _newest_blocks(observer, width),
        Text(),
        nodes,
        Text(),
        _paras(observer, now_s, width, paras),
        _cores(observer),
        *notes,
        Text("Ctrl-C ends it; the same command goes on where it was", style="dim", no_wrap=True),
    )


def _relay_chain(observer: Observer, now_s: float) -> Text:
    line = Text.assemble(
        ("relay chain", "bold"),
        f"  best #{observer.best_number}",
        f"  final #{observer.finalized_number}",
        no_wrap=True,
    )
    blocks = [block for block in observer.recent if block.at_s >= 0]
    if len(blocks) > 1:
        rate = 60 * (len(blocks) - 1) / max(blocks[-1].at_s - blocks[0].at_s, 0.001)
        line.append(f"  {rate:.1f} blocks a minute")
    line.append(f"  {now_s:.0f} s", style="dim")
    return line


def _newest_blocks(observer: Observer, width: int) -> Text:
    blocks = list(observer.recent)[-max(width // _BLOCK_WIDTH, 1) :]
    newest = Text("  ").join(
        Text(
            f"#{block.number} {block.hash}",
            style="green" if block.number <= observer.finalized_number else "yellow",
        )
        for block in blocks
    )
    newest.no_wrap = True
    return newest or Text("no block yet", style="dim")


# Nodes


def _nodes(
    observer: Observer, usage: Mapping[str, Usage], width: int, room: int
) -> tuple[Table, int]:
    """The nodes, side by side if need be, and how many rows they take. Where all do not fit: those
    that are not as they should be, and how many others there are."""
    names = list(observer.nodes)
    unwell = [name for name in names if _is_unwell(observer, usage, name)]
    others = 0
    abreast = 1
    if len(names) > room and width >= 2 * _NODE_WIDTH - 2:
        abreast = 2
    if len(names) > abreast * room:
        abreast = 1
        shown = unwell[: max(room - 1, 0)]
        others = len(names) - len(shown)
        names = shown
    rows = -(-len(names) // abreast)
    table = _table()
    for _ in range(abreast):
        table.add_column("node", no_wrap=True)
        table.add_column("", no_wrap=True)
        for title in ("best", "final", "MB", "CPU s", "stake")[: 7 - 2 * abreast]:
            table.add_column(title, justify="right", no_wrap=True)
    columns = [names[start : start + rows] for start in range(0, len(names), max(rows, 1))]
    for row in zip_longest(*columns):
        cells = (_node(observer, usage, name)[: 9 - 2 * abreast] for name in row)
        table.add_row(*(cell for node in cells for cell in node))
    if others:
        state = "up" if len(unwell) == len(names) else "not all up"
        table.add_row(Text(f"{others} others", style="dim"), Text(state, style="dim"))
    return table, rows + bool(others)


def _is_unwell(observer: Observer, usage: Mapping[str, Usage], name: str) -> bool:
    node, used = observer.nodes[name], usage.get(name, Usage())
    behind = observer.best_number - node.best > 1
    return used.pid is None or not node.started or used.restarts > 0 or behind


def _node(observer: Observer, usage: Mapping[str, Usage], name: str | None) -> list[Text]:
    if name is None:
        return [Text()] * 7
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
        Text("" if node.stake is None else f"{node.stake / UNIT:,.0f}", style=style),
    ]


# Paras and cores


def _paras(observer: Observer, now_s: float, width: int, room: int) -> Table:
    table = _table()
    for title in ("para", "candidate", "stage"):
        table.add_column(title, no_wrap=True)
    for title in ("included", "final", "a minute", "in"):
        table.add_column(title, justify="right", no_wrap=True)
    if width >= WIDE:
        table.add_column("head", no_wrap=True)
    paras = list(observer.paras.items())
    shown = paras if len(paras) <= room else paras[: room - 1]
    for para_id, para in shown:
        cells = _para(para, now_s)
        table.add_row(f"{para_id} {para.name}", *cells[: 7 if width >= WIDE else 6])
    if len(shown) < len(paras):
        table.add_row(Text(f"{len(paras) - len(shown)} more paras", style="dim"))
    return table


def _para(para: ParaPicture, now_s: float) -> list[Text | str]:
    last = para.last
    return [
        para.newest,
        Text(str(para.stage), style=STAGE_STYLES[para.stage]),
        str(len(para.blocks)),
        str(para.finalized),
        f"{para.rate_per_minute(now_s):.1f}",
        f"#{last.relay_number}" if last else "",
        last.head if last else "",
    ]


def _verdicts(verdicts: Verdicts) -> list[Text]:
    """Checks, if there were any; the last disputes, and the last punishments."""
    lines = []
    if verdicts.tranches:
        tranches = ", ".join(f"{n} in {at}" for at, n in sorted(verdicts.tranches.items()))
        late = f"{verdicts.no_shows} were late, {verdicts.undelivered} not awaited"
        lines.append(_line(f"{verdicts.accepted} accepted; checks by tranche: {tranches}; {late}"))
    for candidate, dispute in list(verdicts.disputes.items())[-SHOWN_VERDICTS:]:
        style = "yellow" if dispute.outcome == OPEN else "red"
        lines.append(_line(_dispute(candidate, dispute), style))
    for deed in verdicts.punishments[-SHOWN_VERDICTS:]:
        lines.append(_line(_punishment(deed), "red"))
    return lines


def _dispute(candidate: str, dispute: DisputePicture) -> str:
    voters = f"by {dispute.invalid} against {dispute.valid}"
    return f"{candidate} disputed, {dispute.outcome}: {voters}"


def _punishment(deed: PunishmentPicture) -> str:
    lost = f"validator {deed.validator} has lost {deed.lost / UNIT:.2f} of its stake"
    return f"{lost}, {deed.left / UNIT:.2f} are left: {deed.misconduct}"


def _refusals(observer: Observer, now_s: float) -> list[Text]:
    """Why candidates went no further, by para; dim where one has been included since."""
    lines = []
    for para_id, para in observer.paras.items():
        if (refusal := para.refusal) is None:
            continue
        is_over = para.last is not None and para.last.included_s > refusal.at_s
        words = f"{para_id} refused {max(now_s - refusal.at_s, 0):.0f} s ago: {refusal.reason}"
        lines.append(_line(words, "dim" if is_over else "yellow"))
    return lines


def _line(words: str, style: str = "dim") -> Text:
    return Text(words, style=style, no_wrap=True, overflow="ellipsis")


def _cores(observer: Observer) -> Text:
    """What occupies each core, in one line."""
    if not observer.cores:
        return Text("no core was occupied yet", style="dim")
    line = Text("   ").join(
        Text.assemble((f"core {core}", "bold"), " ", _occupant(observer, hash_))
        for core, hash_ in sorted(observer.cores.items())
    )
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


def _occupant(observer: Observer, hash_: str) -> Text:
    candidate = observer.candidate(hash_)
    if candidate is None:
        return Text("free", style="dim")
    return Text(f"{candidate.para} {hash_}", style=STAGE_STYLES[candidate.stage])


def _table() -> Table:
    return Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)


class PlainLines:
    """Says in lines what is new since the last time."""

    def __init__(self) -> None:
        self._best = self._final = 0
        self._told: dict[int, float] = {}
        self._refusals: dict[int, str] = {}
        """By para, the last that was told."""
        self._disputes: dict[str, str] = {}
        """By candidate, the outcome that was told."""
        self._punishments = 0
        self._booted = False

    def news(self, observer: Observer, now_s: float) -> list[str]:
        """Lines to print, oldest first."""
        lines = []
        if observer.boot_s is not None and not self._booted:
            self._booted = True
            lines.append(f"{observer.boot_s:8.1f} s  all {len(observer.nodes)} nodes are up")
        lines += self._verdicts(observer.verdicts, now_s)
        for para_id, para in observer.paras.items():
            told = self._told.get(para_id, -1.0)
            for block in para.blocks:
                if block.included_s > told:
                    self._told[para_id] = block.included_s
                    lines.append(
                        f"{block.included_s:8.1f} s  para {para_id} {para.name}: "
                        f"{block.candidate} included in relay block #{block.relay_number}"
                    )
            if para.refusal is not None and para.refusal.reason != self._refusals.get(para_id):
                self._refusals[para_id] = para.refusal.reason
                lines.append(
                    f"{para.refusal.at_s:8.1f} s  para {para_id} {para.name}: "
                    f"refused: {para.refusal.reason}"
                )
        if (observer.best_number, observer.finalized_number) != (self._best, self._final):
            self._best, self._final = observer.best_number, observer.finalized_number
            lines.append(f"{now_s:8.1f} s  relay chain: best #{self._best}, final #{self._final}")
        return lines

    def _verdicts(self, verdicts: Verdicts, now_s: float) -> Iterator[str]:
        """Disputes when they begin and when they end, and punishments."""
        for candidate, dispute in verdicts.disputes.items():
            if self._disputes.get(candidate) != dispute.outcome:
                self._disputes[candidate] = dispute.outcome
                yield f"{now_s:8.1f} s  {_dispute(candidate, dispute)}"
        for deed in verdicts.punishments[self._punishments :]:
            yield f"{now_s:8.1f} s  {_punishment(deed)}"
        self._punishments = len(verdicts.punishments)
