"""Running a devnet, and reading what it reports."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

COMMAND = (sys.executable, "-c", "from parahost.cli.main import main; main()", "devnet", "--plain")


def report_of(*options: str, timeout_s: int = 300) -> dict[str, Any]:
    """The report of ``parahost devnet`` with these options, from an empty base path.

    :raises subprocess.CalledProcessError: when it does not come to its ``--until`` in time.
    """
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.json"
        files = ("--base-path", f"{directory}/net", "--report", str(report))
        subprocess.run(
            [*COMMAND, *options, *files, "--timeout", str(timeout_s)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        found: dict[str, Any] = json.loads(report.read_text())
        return found


def validators_of(report: dict[str, Any]) -> list[dict[str, float]]:
    """What each validator used."""
    return [used for name, used in report["processes"].items() if name.startswith("validator")]
