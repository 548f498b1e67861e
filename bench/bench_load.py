"""Parablocks of 5 MB: 4 validators and one parachain at ``--slot 6``, until 12 are included.

Run: ``python -m bench.bench_load``. Takes one and a half minutes.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.figures import figure
from bench.networks import report_of, validators_of

BLOCKS = 12
SPEC = """
id = 2000
example = "load"
[args]
pov_bytes = 5_000_000
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        spec = Path(directory) / "load.toml"
        spec.write_text(SPEC)
        report = report_of("--slot", "6", "--parachain", str(spec), "--until", f"included={BLOCKS}")
    (para,) = report["paras"].values()
    numbers = [each["relay_block"] for each in para["included"]]
    blocks, relay_blocks = len(numbers) - 1, numbers[-1] - numbers[0]
    figure(
        "load, 5 MB: parablocks a relay block, after the first", blocks / relay_blocks, "", "0.5"
    )
    validators = validators_of(report)
    figure("load: the largest validator, its peak", max(v["peak_rss_mb"] for v in validators), "MB")
    seconds = numbers[-1] * 6.0
    busiest = max(v["cpu_s"] + v["workers_cpu_s"] for v in validators)
    figure("load: the busiest validator, CPU time of one second", busiest / seconds, "s")


if __name__ == "__main__":
    main()
