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


def in_processes(tmp_path: Path, *, seed: int, hash_seeds: tuple[str, ...]) -> list[dict[str, Any]]:
    """The reports of ``parahost simulate`` in processes of their own, side by side."""
    command = "import sys; from parahost.cli.main import run; sys.exit(run(sys.argv[1:]))"
    options = ["--parachains", "1", "--parathreads", "1", "--blocks", str(BLOCKS)]
    options += ["--seed", str(seed)]
    reports = {tmp_path / f"{hash_seed}.json": hash_seed for hash_seed in hash_seeds}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", command, "simulate", *options, "--report", str(report)],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for report, hash_seed in reports.items()
    ]
    assert [process.wait(timeout=600) for process in running] == [0] * len(running)
    return [json.loads(report.read_text()) for report in reports]


def digest(seed: int, *, sharing: bool = True) -> str:
    outcome = Simulation(SCENARIO, seed, sharing=sharing).run()
    assert outcome.ok, outcome.verdicts
    return outcome.digest


def test_same_seed_same_digest_in_every_process(tmp_path: Path) -> None:
    one, two = in_processes(tmp_path, seed=7, hash_seeds=("1", "2"))
    differing = {"real_seconds", "speed_ratio"}
    assert {k: v for k, v in one.items() if k not in differing} == {
        k: v for k, v in two.items() if k not in differing
    }
    assert digest(7) == one["digest"]
    assert digest(8) != one["digest"]


def test_sharing_changes_nothing() -> None:
    assert digest(3, sharing=True) == digest(3, sharing=False)


def test_a_simulation_needs_no_network_library() -> None:
    """Importing py-libp2p takes as long as all the rest of the start."""
    check = "import sys, parahost.simulation; sys.exit('libp2p' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
