"""What a local network takes: start-up, first parablocks, memory.

The command, its report, and what the report says: 4 validators and 2 parachains at ``--slot 2``,
from nothing to two final parablocks of each para. Times count from the command; the processor time
is that of all processes together.

Run: ``python -m bench.bench_devnet``.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.figures import figure

DEVNET = ("devnet", "--plain", "--slot", "2", "--parachain", "adder", "--parachain", "adder")


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.json"
        subprocess.run(
            [
                *(sys.executable, "-c", "from parahost.cli.main import main; main()", *DEVNET),
                *("--base-path", f"{directory}/net", "--until", "finalized=2"),
                *("--timeout", "120", "--report", str(report)),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        found = json.loads(report.read_text())
    paras = found["paras"].values()
    processes = found["processes"]
    validators = [used for name, used in processes.items() if name.startswith("validator")]
    figure("devnet: all nodes up", found["boot_s"], "s")
    figure(
        "devnet: first parablock of each para included",
        max(para["first_included_s"] for para in paras),
        "s",
        "< 12 s",
    )
    figure(
        "devnet: and in a final relay block",
        max(para["first_finalized_s"] for para in paras),
        "s",
        "< 20 s",
    )
    figure(
        "devnet: the largest validator, its peak",
        max(used["peak_rss_mb"] for used in validators),
        "MB",
        "< 200 MB",
    )
    figure(
        "devnet: the largest worker, its peak",
        max(used["workers_peak_rss_mb"] for used in validators),
        "MB",
    )
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    figure("devnet: processor time of it all", used.ru_utime + used.ru_stime, "s")


if __name__ == "__main__":
    main()
