"""What is large goes back to the system when it is freed."""

from __future__ import annotations

import subprocess
import sys

import pytest

FLOOD = """
from pathlib import Path
from parahost.process.memory import give_back_large_memory

def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

GIVES_BACK and give_back_large_memory()
for _ in range(3):
    bytes(24 * 2**20)  # by itself glibc takes from this that it should keep so much
before = resident_mb()
small, large = [], []
for _ in range(60):
    large.append(b"x" * 2**20)
    small.append(b"x" * 10_000)
large.clear()
print(resident_mb() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="as Linux tells it")
def test_a_flood_of_large_messages_leaves_little() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FLOOD.replace("GIVES_BACK", "True")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert float(done.stdout) < 10
