"""The parachain of docs/PARACHAINS.md works as it stands there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import parahost.parachains
from parahost.parachains import load_specs
from parahost.ports.validation import ExecutionKind
from parahost.primitives.basic import HeadData
from parahost.validation import InProcessHost
from tests.parachains.params import head_of, validation_params
from tests.parachains.world import Bench

DOCS = Path(__file__).parents[2] / "docs/PARACHAINS.md"
FILE = re.compile(r"^`(\w+\.\w+)`\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FLAGS = ["--target=wasm32-unknown-unknown", "-O2", "-nostdlib", "-ffreestanding"]
LINKING = ["-Wl,--no-entry", "-Wl,--export=__heap_base"]


def test_the_flags_are_those_of_the_page() -> None:
    command = re.search(r"^clang (.*?)```", DOCS.read_text(), re.MULTILINE | re.DOTALL)
    assert command is not None
    given = [flag for flag in command[1].split() if flag.startswith("-") and flag != "-o"]
    assert given == [*FLAGS, '-I"$INCLUDE"', *LINKING]


async def test_the_counter_counts(tmp_path: Path) -> None:
    if shutil.which("clang") is None or shutil.which("wasm-ld") is None:
        pytest.skip("not installed: clang with wasm-ld")
    files = dict(FILE.findall(DOCS.read_text()))
    assert list(files) == ["counter.c", "counter.py", "counter.toml"]
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    include = f"-I{Path(parahost.parachains.__file__).parent}"
    command = ["clang", *FLAGS, include, *LINKING, "-o", "counter.wasm", "counter.c"]
    subprocess.run(command, cwd=tmp_path, check=True)
    [spec] = load_specs([str(tmp_path / "counter.toml")])
    bench = await Bench(spec.make_collator()).start()
    head = bench.genesis
    assert head == spec.genesis_head
    for counter in (3, 6):
        block = await bench.build(head)
        assert block is not None
        params = validation_params(head, block.block_data)
        outcome = InProcessHost().run(spec.code, params, ExecutionKind.BACKING)
        head = HeadData(head_of(outcome))
        assert head == block.head == counter.to_bytes(8, "little")
        bench.collator.on_included(head)
    assert bench.journal.names() == ["counter.included"] * 2
