"""What a local network takes: start-up, first parablocks, memory.

The command, its report, and what the report says: 4 validators and 2 parachains at ``--slot 2``,
from nothing to two final parablocks of each para. Times count from the command; the processor time
is that of all processes together.

Run: ``python -m bench.bench_devnet``.
"""

from __future__ import annotations

import resource

from bench.figures import figure
from bench.networks import report_of, validators_of

OPTIONS = ("--slot", "2", "--parachain", "adder", "--parachain", "adder", "--until", "finalized=2")


def main() -> None:
    found = report_of(*OPTIONS)
    paras = found["paras"].values()
    validators = validators_of(found)
    figure("devnet: all nodes up", found["boot_s"], "s")
    figure(
        "devnet: first parablock of each para included",
        max(para["first_included_s"] for para in paras),
        "s",
        "12 s",
    )
    figure(
        "devnet: and in a final relay block",
        max(para["first_finalized_s"] for para in paras),
        "s",
        "20 s",
    )
    figure(
        "devnet: the largest validator, its peak",
        max(used["peak_rss_mb"] for used in validators),
        "MB",
        "200 MB",
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
