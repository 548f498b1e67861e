"""The table of metrics in ``docs/OPERATIONS.md``, made from their declarations.

``python -m tests.docs.metrics`` writes it anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from parahost.metrics.metric import Metric
from parahost.network.metrics import NETWORK_METRICS
from parahost.node.counted_network import TALK_METRICS
from parahost.node.overseer.bus_metrics import BUS_METRICS
from parahost.node.readings import NODE_METRICS
from parahost.node.subsystems import SUBSYSTEMS
from parahost.node.tallies import TALLIES
from parahost.process.vitals import PROCESS_METRICS

PAGE = Path(__file__).parents[2] / "docs/OPERATIONS.md"
_HEADER = "| metric | kind | labels | what |\n| --- | --- | --- | --- |\n"

OF_EVERY_NODE: Final[tuple[Metric, ...]] = tuple(
    dict.fromkeys(
        (
            *NODE_METRICS,
            *BUS_METRICS,
            *TALK_METRICS,
            *(tally.metric for tally in TALLIES),
            *(metric for kind in SUBSYSTEMS for metric in kind.metrics),
        )
    )
)
"""Of a node in a simulation too."""
OF_A_PROCESS: Final[tuple[Metric, ...]] = (*NETWORK_METRICS, *PROCESS_METRICS)
DECLARED: Final = (*OF_EVERY_NODE, *OF_A_PROCESS)


def table(metrics: Iterable[Metric]) -> str:
    rows = (
        f"| `{each.name}` | {each.kind} | {', '.join(each.labels)} | {each.help} |\n"
        for each in sorted(metrics, key=lambda each: each.name)
    )
    return "".join(rows)


def written(page: str) -> str:
    """The page with the table as it ought to be."""
    before, after = page.split(_HEADER)
    return before + _HEADER + table(DECLARED) + after[after.index("\n## ") :]


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
