"""``parahost devnet``, whose nodes come of :mod:`tests.e2e.dishonest_nodes`."""

from __future__ import annotations

from parahost.cli import main as command
from parahost.devnet import launcher


def main() -> None:
    vars(launcher)["ZYGOTE"] = "tests.e2e.dishonest_nodes"
    command.main()
