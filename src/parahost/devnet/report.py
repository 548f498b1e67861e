"""What a devnet leaves behind: a JSON report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from parahost.devnet.observer import Observer
from parahost.devnet.processes import Usage


def report_of(observer: Observer, usage: dict[str, Usage]) -> dict[str, Any]:
    """Times are seconds since the start; ``null`` for what has not happened."""
    return {
        "boot_s": observer.boot_s,
        "paras": {
            str(para): {
                "name": picture.name,
                "first_included_s": picture.blocks[0].included_s if picture.blocks else None,
                "first_finalized_s": min(
                    (b.finalized_s for b in picture.blocks if b.finalized_s is not None),
                    default=None,
                ),
                "timed_out": picture.timed_out,
                "included": [
                    {
                        "candidate": block.candidate,
                        "head": block.head,
                        "relay_block": block.relay_number,
                        "relay_block_hash": block.relay_block,
                        "included_s": block.included_s,
                        "finalized_s": block.finalized_s,
                    }
                    for block in picture.blocks
                ],
            }
            for para, picture in observer.paras.items()
        },
        "verdicts": observer.verdicts.report(),
        "stakes": {
            name: int(node.stake) for name, node in observer.nodes.items() if node.stake is not None
        },
        "relay_chain": {"best": observer.best_number, "finalized": observer.finalized_number},
        "processes": {
            name: {
                "pid": used.pid,
                "peak_rss_mb": round(used.peak_rss_mb, 1),
                "cpu_s": round(used.cpu_s, 2),
                "workers_peak_rss_mb": round(used.workers_peak_rss_mb, 1),
                "workers_cpu_s": round(used.workers_cpu_s, 2),
                "restarts": used.restarts,
            }
            for name, used in usage.items()
        },
    }


def write_report(path: Path, observer: Observer, usage: dict[str, Usage]) -> None:
    """:raises OSError: when the file cannot be written."""
    path.write_text(json.dumps(report_of(observer, usage), indent=2) + "\n")
