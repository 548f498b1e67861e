"""``python -m tests.e2e.dishonest_devnet devnet ...``: ``parahost devnet``, whose nodes come of
:mod:`tests.e2e.dishonest_nodes`."""

from __future__ import annotations

from parahost.cli.main import main
from parahost.devnet import launcher

if __name__ == "__main__":
    vars(launcher)["ZYGOTE"] = "tests.e2e.dishonest_nodes"
    main()
