"""People's own tools do a small job on a running devnet, each by its page in ``docs/rpc``.

``make rpc-clients`` installs them, each Python one in an environment of its own, as they contradict
one another; one that is not installed is skipped.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from parahost.testing import devnet
from parahost.testing.waiting import PATIENCE_S

pytestmark = pytest.mark.devnet

ROOT = Path(__file__).parents[2]
JOBS = ROOT / "docs/rpc"
PARA = 2000
HEAD = re.compile(r"0x(2101)?(..){72}")
"""The adder's head has 72 bytes; some tools show its length before it."""


def python_of(client: str) -> Path:
    return ROOT / f"build/rpc-clients/{client}/bin/python"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Where a devnet's first node serves JSON-RPC. Its validators make forks now and then."""
    with devnet(validators=3, slot_s=2) as network:
        yield network.url("validator-1")


def done(url: str, *command: str) -> None:
    """Run a client's job, which ends with a line that says what it has done."""
    job = subprocess.run(
        [*command, url, str(PARA)],
        capture_output=True,
        text=True,
        timeout=5 * PATIENCE_S,
        check=False,
    )
    assert job.returncode == 0, job.stderr
    told = json.loads(job.stdout.splitlines()[-1])
    assert HEAD.fullmatch(told.pop("head"))
    assert told.pop("included") >= 1
    assert told == {"transferred": 10**12, "transfer": True, "registered": True}


@pytest.mark.parametrize("client", ["substrate_interface", "async_substrate_interface"])
def test_a_python_client_reads_watches_transfers_and_registers(url: str, client: str) -> None:
    python = python_of(client)
    if not python.exists():
        pytest.skip(f"{client} is not installed: make rpc-clients")
    done(url, str(python), str(JOBS / f"{client}_job.py"))


@pytest.mark.parametrize("client", ["polkadot_js", "polkadot_api"])
def test_a_javascript_client_reads_watches_transfers_and_registers(url: str, client: str) -> None:
    if shutil.which("node") is None or not (JOBS / "node_modules").is_dir():
        pytest.skip(f"{client} is not installed: make rpc-clients, which needs node")
    done(url, "node", str(JOBS / f"{client}.mjs"))
