"""What a process imports is what it uses: each import is a part of every node's start."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("imported", "unused"),
    [
        # Wasm runs in workers alone.
        ("parahost.cli.zygote", {"wasmtime"}),
        # A devnet's command plans and watches; the nodes are other processes.
        (
            "parahost.devnet.devnet, parahost.devnet.plan",
            {"parahost.node.node", "parahost.rpc.server", "parahost.network.libp2p_network", "h11"},
        ),
    ],
)
def test_a_process_imports_nothing_that_others_are_for(imported: str, unused: set[str]) -> None:
    script = f"import sys, {imported}; print(*{unused!r} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []


def test_a_fork_of_the_zygote_reads_its_command_line_with_what_is_there() -> None:
    script = (
        "import sys; from parahost.cli import zygote; zygote.rehearse(); before = set(sys.modules);"
        "zygote.run('node --name alice --role validator --chain /nowhere --base-path /nowhere"
        " --listen /ip4/127.0.0.1/tcp/0 --rpc-port 0 --collator-ban 2.5'.split());"
        "print(*set(sys.modules) - before)"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stderr.startswith("parahost: /nowhere: No such file")
    assert ran.stdout.split() == []
