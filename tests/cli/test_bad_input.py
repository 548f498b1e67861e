"""What cannot be used is told in one line, with exit status 2, and nothing is started."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from parahost.cli.failure import BadInput
from parahost.cli.main import run
from parahost.devnet.base_path import base_path_taken
from parahost.network.errors import PeerError
from parahost.ports import DatabaseError
from parahost.runtime.errors import InvalidBlock
from parahost.storage.lmdb import LmdbDatabase
from parahost.validation import confinement

NO_VALIDATE_BLOCK = b"\0asm\1\0\0\0"


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A chain spec, and files with something wrong in each."""
    monkeypatch.chdir(tmp_path)
    assert run(["chain-spec", "new", "--parachain", "adder", "--output", "spec.json"]) == 0
    spec = Path("spec.json").read_text()
    Path("cut.json").write_text(spec[:100])
    Path("hex.json").write_text(spec.replace('"0x', '"0xz', 1))
    Path("bytes.json").write_bytes(b"\xff\xfe")
    Path("broken.toml").write_text("id = ")
    Path("text.wasm").write_text("x")
    Path("empty.wasm").write_bytes(NO_VALIDATE_BLOCK)
    Path("raises.py").write_text("raise RuntimeError('no')")
    toml = 'id = 7\ncode = "{}"\ncollator = "{}"\n'
    Path("no_wasm.toml").write_text(toml.format("text.wasm", "a:A"))
    Path("no_export.toml").write_text(toml.format("empty.wasm", "a:A"))
    Path("no_code.toml").write_text(toml.format("nowhere.wasm", "a:A"))
    example = 'id = 7\nexample = "adder"\n'
    Path("odd_head.toml").write_text(example + 'genesis_head = "0x123"')
    code = "validation.wasm"
    Path(code).write_bytes(_adder())
    Path("raises.toml").write_text(toml.format(code, "raises:A"))
    Path("absent.toml").write_text(toml.format(code, "no_such_module:A"))
    yield tmp_path


def _adder() -> bytes:
    from parahost.parachains.code import example_code

    return bytes(example_code("adder"))


DEVNET = ("devnet", "--base-path", "net")
NODE = ("node", "--base-path", "base")

LINES = {
    (*DEVNET, "--validators", "0"): "--validators 0: between 1 and 1000 can be started",
    (*DEVNET, "--validators", "2"): "2 validators cannot serve 3 cores: each core needs a",
    (*DEVNET, "--slot", "0"): "--slot 0.0: a slot lasts between 0.5 and 600 seconds",
    (*DEVNET, "--slot", "x"): "Invalid value for '--slot'",
    (*DEVNET, "--until", "included"): "--until included: not a condition; write included=K",
    (*DEVNET, "--until", "included=0"): "--until included=0: not a condition",
    (*DEVNET, "--until", "time=nan"): "--until time=nan: not a condition",
    (*DEVNET, "--timeout", "-1"): "--timeout -1: not a number of seconds above 0",
    (*DEVNET, "--report", "no/r.json"): "--report no/r.json: name a file in a directory that is",
    (*DEVNET, "--frobnicate"): "No such option: --frobnicate",
    (*DEVNET, "--parachain", "multiplier"): "multiplier: neither a shipped example (adder, ledger",
    (*DEVNET, "--parachain", "no.toml"): "no.toml: cannot read no.toml: No such file",
    (
        *DEVNET,
        "--parachain",
        "broken.toml",
    ): "broken.toml: not TOML: Invalid value (at end",
    (*DEVNET, "--parachain", "no_code.toml"): "no_code.toml: code: cannot read ",
    (*DEVNET, "--parachain", "no_wasm.toml"): "no_wasm.toml: code: ",
    (*DEVNET, "--parachain", "no_export.toml"): "no_export.toml: code: ",
    (*DEVNET, "--parachain", "odd_head.toml"): "odd_head.toml: genesis_head: '0x123' is not bytes",
    (*DEVNET, "--parachain", "absent.toml"): "absent.toml: collator: cannot import no_such_module",
    (*DEVNET, "--parachain", "raises.toml"): "raises.toml: collator: cannot import raises: Runtime",
    ("devnet", "--base-path", "spec.json"): "spec.json: not a directory; choose another --base-p",
    (*NODE, "--chain", "no.json"): "no.json: No such file or directory",
    (*NODE, "--chain", "cut.json"): "cut.json: line ",
    (*NODE, "--chain", "hex.json"): "hex.json: genesis.raw.top: '0xz",
    (*NODE, "--chain", "bytes.json"): "bytes.json: (whole file): not UTF-8 text at byte 0",
    (*NODE, "--chain", "spec.json", "--listen", "here"): "here: 'here' is not /ip4/<ip>/tcp/<port>",
    (*NODE, "--chain", "spec.json", "--bootnode", "/ip4/1.2.3.4/tcp/5"): (
        "/ip4/1.2.3.4/tcp/5: it does not say which peer is there; copy the whole address"
    ),
    (*NODE, "--chain", "spec.json", "--reserved-peer", "/ip4/1.2.3.4/tcp/5"): (
        "/ip4/1.2.3.4/tcp/5: it does not say which peer is there; copy the whole address"
    ),
    (*NODE, "--chain", "spec.json", "--role", "collator"): "node: --role collator and --parachain",
    (*NODE, "--chain", "spec.json", "--role", "king"): "Invalid value for '--role'",
    ("keys", "inspect", "zoo zoo zoo"): "not a BIP-39 phrase: ",
    ("keys", "inspect", "0x12"): "a seed has 64 hexadecimal digits after 0x",
    ("keys", "insert", "//A", "--base-path", "base"): "Missing option '--purpose'",
    ("chain-spec", "new", "--validators", "0"): "--validators 0: between 1 and 1000",
    ("chain-spec", "new", "--balance", "0x12=5"): "--balance 0x12=5: '0x12' is no address",
    ("chain-spec", "new", "--balance", f"0x{'7' * 64}=0"): "balances: the account 7777",
}


@pytest.mark.parametrize("argv", LINES, ids=" ".join)
def test_it_is_told_in_one_line(argv: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(argv, capsys).startswith(LINES[argv])


def refused(argv: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> str:
    """What is said of it, after the name of the program."""
    capsys.readouterr()
    assert run(argv) == 2
    (line,) = capsys.readouterr().err.splitlines()
    said = line.removeprefix("parahost: ")
    assert said != line
    return said


def test_a_taken_port(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"/ip4/127.0.0.1/tcp/{taken.getsockname()[1]}"
        line = refused((*NODE, "--chain", "spec.json", "--listen", address), capsys)
    assert line.startswith(f"{address}: the port is taken; ")


def test_a_database_that_is_open_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    database = LmdbDatabase(Path("base/db"))
    try:
        line = refused((*NODE, "--chain", "spec.json"), capsys)
    finally:
        database.close()
    assert line.startswith("the database base/db is open already")


def test_a_damaged_database(capsys: pytest.CaptureFixture[str]) -> None:
    Path("base/db").mkdir(parents=True)
    Path("base/db/data.mdb").write_bytes(b"\x55" * 65536)
    line = refused((*NODE, "--chain", "spec.json"), capsys)
    assert line.startswith("the database base/db/data.mdb is damaged: ")


def test_a_base_path_of_another_chain(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:  # the node gets no further than its chain
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"/ip4/127.0.0.1/tcp/{taken.getsockname()[1]}"
        refused((*NODE, "--chain", "spec.json", "--listen", address), capsys)
    assert run(["chain-spec", "new", "--validators", "5", "--output", "other.json"]) == 0
    line = refused((*NODE, "--chain", "other.json"), capsys)
    assert line.startswith("base/db: the database holds the chain with genesis ")


def test_a_devnet_base_path_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    with base_path_taken(Path("net")):
        line = refused(DEVNET, capsys)
    who = f"as process {os.getpid()}"
    assert line == f"net: another devnet runs there {who}; end it, or choose another --base-path"


def test_a_devnet_base_path_of_another_network(capsys: pytest.CaptureFixture[str]) -> None:
    Path("net").mkdir()
    Path("net/devnet.json").write_text('{"network": {"validators": 9}}')
    assert refused(DEVNET, capsys).startswith("net: another network lives there; start it with")


def test_a_collator_without_its_key(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--role", "collator", "--parachain", "adder", "--para-id", "2000")
    assert refused((*NODE, "--chain", "spec.json", *options), capsys) == (
        "a collator signs with its collator key, and there is none in base/keystore:"
        " `parahost keys insert --base-path base --purpose collator -`"
    )


def test_a_node_key_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    Path("base").mkdir()
    Path("base/node-key").write_text("secret")
    line = refused((*NODE, "--chain", "spec.json"), capsys)
    assert line.startswith("base/node-key: not a node key: 64 hexadecimal digits belong there")


@pytest.mark.parametrize("argv", [(), ("keys",), ("chain-spec",), ("inspect",)])
def test_without_a_command_the_help_is_shown(
    argv: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(argv) == 2
    shown = capsys.readouterr()
    assert "Usage:" in shown.out + shown.err and "parahost:" not in shown.err


def test_a_validator_whose_workers_cannot_be_confined_does_not_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(confinement, "lacking", lambda: ["Landlock"])
    arguments = [*NODE, "--chain", "spec.json", "--role", "validator"]
    assert run(arguments) == 2
    told = capsys.readouterr().err
    assert "this kernel lacks Landlock" in told and "--insecure-workers" in told
    # With consent it comes to the next thing that is wrong.
    assert run([*arguments, "--insecure-workers", "--listen", "/ip4/203.0.113.1/tcp/1"]) == 2
    assert "lacks" not in capsys.readouterr().err


def _runs_into(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit status of a node that ends by it."""

    def read(path: Path) -> None:
        raise error

    monkeypatch.setattr("parahost.process.run_node.read_chain_spec", read)
    return run([*NODE, "--chain", "spec.json"])


FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (DatabaseError("cannot write the journal"), "cannot write the journal"),
        (FULL, "No space left on device"),
        (
            OSError(errno.ENOSPC, "No space left on device", "db/journal"),
            "db/journal: No space left on device",
        ),
        (ExceptionGroup("two", [FULL, BadInput("a mistyped name")]), "No space left on device"),
    ],
    ids=["database", "disk", "file", "group"],
)
def test_a_full_disk_is_not_bad_input(
    error: BaseException,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A devnet starts a node anew after status 1, and never after 2."""
    capsys.readouterr()
    assert _runs_into(error, monkeypatch) == 1
    assert capsys.readouterr().err == f"parahost: {line}\n"


@pytest.mark.parametrize("bug", [ValueError("no"), PeerError("gone"), InvalidBlock("bad")])
def test_a_bug_is_told_in_full(bug: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a peer has done wrong and nobody dealt with is one as well."""
    with pytest.raises(ExceptionGroup) as raised:
        _runs_into(bug, monkeypatch)
    assert bug in raised.value.exceptions
