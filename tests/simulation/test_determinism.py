"""A run is a function of code, scenario and seed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from parahost.simulation import Scenario, Shape, Simulation

BLOCKS = 5
SCENARIO = Scenario(shape=Shape(validators=4, parachains=1, parathreads=1), blocks=BLOCKS)


def in_a_process(tmp_path: Path, *, seed: int, hash_seed: str) -> dict[str, Any]:
    """The report of ``parahost simulate`` in a process of its own."""
    report = tmp_path / f"{seed}-{hash_seed}.json"
    command = "import sys; from parahost.cli.main import run; sys.exit(run(sys.argv[1:]))"
    options = ["--parachains", "1", "--parathreads", "1", "--blocks", str(BLOCKS)]
    options += ["--seed", str(seed), "--report", str(report)]
    subprocess.run(
        [sys.executable, "-c", command, "simulate", *options],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        check=True,
        capture_output=True,
        timeout=120,
    )
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def digest(seed: int, *, sharing: bool = True) -> str:
    outcome = Simulation(SCENARIO, seed, sharing=sharing).run()
    assert outcome.ok, outcome.verdicts
    return outcome.digest


def test_same_seed_same_digest_in_every_process(tmp_path: Path) -> None:
    one = in_a_process(tmp_path, seed=7, hash_seed="1")
    two = in_a_process(tmp_path, seed=7, hash_seed="2")
    differing = {"real_seconds", "speed_ratio"}
    assert {k: v for k, v in one.items() if k not in differing} == {
        k: v for k, v in two.items() if k not in differing
    }
    assert digest(7) == one["digest"]
    assert digest(8) != one["digest"]


def test_sharing_changes_nothing() -> None:
    assert digest(3, sharing=True) == digest(3, sharing=False)
