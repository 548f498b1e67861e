"""Nothing is left in the temporary folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    "module", ["parahost.crypto.ristretto", "parahost.erasure", "parahost.cli.node"]
)
def test_an_import_leaves_no_file(module: str, tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", f"import {module}"], env=environment, check=True)
    assert list(tmp_path.iterdir()) == []
