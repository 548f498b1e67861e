"""What can be named as a parachain, and what is said of what cannot."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parahost.parachains import (
    BadCollator,
    BadParachainSpec,
    Collator,
    load_collator,
    load_spec,
    load_specs,
)
from parahost.parachains.adder.collator import AdderCollator
from parahost.parachains.code import example_code
from parahost.parachains.wasm import MalformedWasm, exported_functions
from tests.parachains.counter import Counter

MINE = """
id = 3000
code = "code.wasm"
collator = "tests.parachains.counter:Counter"
genesis_head = "0x00ff"
[args]
step = 2
"""


def write(directory: Path, text: str, name: str = "mine.toml") -> str:
    (directory / "code.wasm").write_bytes(example_code("adder"))
    (directory / "other.wasm").write_bytes(b"\0asm\1\0\0\0")
    (directory / "text.wasm").write_bytes(b"no wasm")
    (directory / name).write_text(text)
    return str(directory / name)


def test_examples_have_ids_of_their_own(tmp_path: Path) -> None:
    mine = write(tmp_path, MINE.replace("3000", "2001"))
    specs = load_specs(["adder", mine, "load", "adder"])
    assert [spec.id for spec in specs] == [2000, 2001, 2002, 2003]
    assert [spec.source for spec in specs] == ["adder", mine, "load", "adder"]
    assert all(isinstance(spec.make_collator(), Collator) for spec in specs)


def test_a_toml_file_is_read(tmp_path: Path) -> None:
    [spec] = load_specs([write(tmp_path, MINE)])
    assert (spec.id, spec.code, spec.genesis_head) == (3000, example_code("adder"), b"\0\xff")
    collator = spec.make_collator()
    assert isinstance(collator, Counter) and collator.step == 2


def test_a_module_beside_the_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "beside_the_file.py").write_text(
        "from tests.parachains.counter import Counter\nclass Mine(Counter): pass\n"
    )
    text = MINE.replace("tests.parachains.counter:Counter", "beside_the_file:Mine")
    [spec] = load_specs([write(tmp_path, text)])
    assert type(spec.make_collator()).__name__ == "Mine"


def test_modules_of_one_name_in_two_folders_are_two(tmp_path: Path) -> None:
    """Two parachains in one devnet may have been named alike."""
    sources = []
    for number, folder in enumerate((tmp_path / "one", tmp_path / "other")):
        folder.mkdir()
        (folder / "named_alike.py").write_text(
            "from tests.parachains.counter import Counter\n"
            "class Mine(Counter):\n"
            f"    def genesis_head(self, para_id): return b'{folder.name}'\n"
        )
        text = MINE.replace("tests.parachains.counter:Counter", "named_alike:Mine")
        text = text.replace("3000", str(3000 + number)).replace('genesis_head = "0x00ff"', "")
        sources.append(write(folder, text))
    for order in (sources, sources[::-1]):
        specs = load_specs(order)
        assert [spec.genesis_head.decode() for spec in specs] == [
            Path(source).parent.name for source in order
        ]
        for spec in specs:
            made = spec.make_collator().genesis_head(spec.id)
            assert made == spec.genesis_head


def test_an_example_with_arguments(tmp_path: Path) -> None:
    text = 'id = 7\nexample = "load"\n[args]\npov_bytes = 5_000_000\n'
    [spec] = load_specs([write(tmp_path, text)])
    assert (spec.code, spec.args) == (example_code("load"), {"pov_bytes": 5_000_000})


@pytest.mark.parametrize(
    ("text", "key", "reason"),
    [
        (MINE.replace("id = 3000", ""), "id", "a number from 0"),
        (MINE.replace("3000", "-1"), "id", "a number from 0"),
        (MINE.replace("3000", "true"), "id", "a number from 0"),
        (MINE.replace('"code.wasm"', '"none.wasm"'), "code", "cannot read"),
        (MINE.replace('"code.wasm"', '"text.wasm"'), "code", "not Wasm"),
        (MINE.replace('"code.wasm"', '"other.wasm"'), "code", "exports no function `validate_bl"),
        (MINE.replace('"code.wasm"', "5"), "code", "the path of a Wasm file is expected"),
        (MINE.replace(":Counter", ""), "collator", "not of the form module:Class"),
        (MINE.replace(":Counter", ":Absent"), "collator", "has no Absent"),
        (MINE.replace(":Counter", ":NoCollator"), "collator", "does not derive from"),
        (MINE.replace(":Counter", ":Unfinished"), "collator", "does not define build"),
        (MINE.replace("tests.parachains.counter", "absent_module"), "collator", "cannot import"),
        (MINE.replace("step = 2", "stride = 2"), "args", "takes: step"),
        (MINE.replace("step = 2", "step = 0"), "args", "step: 0 is not positive"),
        (MINE.replace("step = 2", "step = 'x'"), "args", "not supported between"),
        (MINE.replace("step = 2", "step = nan"), "args", "texts, numbers, lists and tables"),
        (MINE.replace("step = 2", "step = 2020-01-01"), "args", "texts, numbers, lists"),
        (MINE.replace("0x00ff", "0x00f"), "genesis_head", "not bytes in hex"),
        (MINE.replace('genesis_head = "0x00ff"', ""), "genesis_head", "absent, and the collator"),
        ("colour = 1\n" + MINE, "colour", "unknown; the keys are id"),
        ('example = "load"\n' + MINE, "code", "`example` stands for it"),
        ('id = 1\nexample = "chess"\n', "example", "none of adder, ledger, load"),
        ("id = ", None, "not TOML"),
        ("id = 1\nid = 2", None, "not TOML"),
    ],
)
def test_each_mistake_is_named_in_one_line(
    tmp_path: Path, text: str, key: str | None, reason: str
) -> None:
    source = write(tmp_path, text)
    with pytest.raises(BadParachainSpec) as bad:
        load_specs([source])
    message = str(bad.value)
    assert message.startswith(f"{source}: {key}: " if key else f"{source}: ")
    assert bad.value.key == key
    assert reason in message and "\n" not in message


def test_what_is_no_file_is_said_so(tmp_path: Path) -> None:
    for text, reason in (
        ("chess", "neither a shipped example (adder, ledger, load) nor a TOML file"),
        (str(tmp_path / "absent.toml"), "No such file"),
        (str(tmp_path), "neither a shipped example"),
    ):
        with pytest.raises(BadParachainSpec) as bad:
            load_specs([text])
        assert reason in str(bad.value)
    (tmp_path / "binary.toml").write_bytes(b"\xff")
    with pytest.raises(BadParachainSpec, match="not UTF-8"):
        load_specs([str(tmp_path / "binary.toml")])


def test_two_with_one_id_are_refused(tmp_path: Path) -> None:
    one, two = write(tmp_path, MINE), write(tmp_path, MINE, "two.toml")
    with pytest.raises(BadParachainSpec, match=r"3000 is the id of .*mine.toml too") as bad:
        load_specs([one, two])
    assert bad.value.source == two


def test_a_single_one_is_found_again_by_its_number(tmp_path: Path) -> None:
    mine = write(tmp_path, MINE)
    for spec in load_specs(["load", mine, "adder"]):
        assert load_spec(spec.source, spec.id) == spec
    with pytest.raises(BadParachainSpec, match="id: 3000, where 3001 was asked for"):
        load_spec(mine, 3001)
    with pytest.raises(BadParachainSpec, match="id: absent"):
        load_spec("adder")


def test_a_collator_by_reference() -> None:
    made = load_collator("parahost.parachains.adder.collator:AdderCollator", {"add": 3})
    assert isinstance(made, AdderCollator)
    with pytest.raises(BadCollator, match=r"missing a required|unexpected keyword"):
        load_collator("parahost.parachains.adder.collator:AdderCollator", {"sub": 3})


def test_exports_are_read() -> None:
    assert exported_functions(example_code("ledger")) == ["validate_block"]
    assert exported_functions(b"\0asm\1\0\0\0") == []


@given(st.binary(max_size=60))
def test_no_bytes_break_the_reading_of_exports(tail: bytes) -> None:
    try:
        names = exported_functions(b"\0asm\1\0\0\0" + tail)
    except MalformedWasm:
        return
    assert all(isinstance(name, str) for name in names)
