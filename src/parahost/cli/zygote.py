"""``python -m parahost.cli.zygote``: everything that a node needs, imported once; see
:mod:`parahost.devnet.zygote`."""

from __future__ import annotations

import parahost.cli.commands
import parahost.process.run_node
from parahost.cli.main import run
from parahost.devnet.zygote import serve

__all__ = ["parahost"]

if __name__ == "__main__":
    serve(run)
