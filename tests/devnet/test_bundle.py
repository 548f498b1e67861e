"""A bug report has what one needs, and no secret."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from parahost.cli.main import run
from parahost.crypto.keystore import KeyDirectory
from parahost.devnet.bundle import TAIL_BYTES, write_bundle
from parahost.devnet.errors import BadPlan
from parahost.devnet.plan import DevnetOptions, make_plan
from parahost.devnet.ports import PortClaims
from parahost.parachains import load_specs
from parahost.ports import KeyType
from parahost.process.base_path import BasePath

PHRASE = "bottom drive obey lake curtain smoke basket hold race lonely fit walk"
SEED = "0x" + "5e" * 32


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A devnet that has ended; somebody has put keys of their own there, and a log has them."""
    root = tmp_path / "net"
    root.mkdir()
    with PortClaims(tmp_path / "claims") as ports:
        make_plan(DevnetOptions(2, tuple(load_specs(["adder"])), (), 1.0, root), ports)
    first = BasePath(root / "validator-1")
    keys = KeyDirectory(first.keystore)
    keys.insert(KeyType.BABE, PHRASE)
    keys.insert(KeyType.GRANDPA, SEED)
    node_key = first.node_key.read_text().strip()
    lines = [f"it says {PHRASE}!", SEED.upper(), SEED[2:], node_key.upper(), "//validator-1//para"]
    first.log.write_text("\n".join([*("x" * 99 for _ in range(4000)), *lines, "the end"]) + "\n")
    (first.root / "output.log").write_text(f"parahost: {node_key}\n")
    return root


def contents(bundle: Path) -> dict[str, bytes]:
    with tarfile.open(bundle) as archive:
        return {
            entry.name.partition("/")[2]: file.read()
            for entry in archive
            if (file := archive.extractfile(entry)) is not None
        }


def test_what_is_in_it(root: Path, tmp_path: Path) -> None:
    output = tmp_path / "report.tar.gz"
    names = write_bundle(root, output)
    found = contents(output)
    assert list(found) == names
    assert names[:5] == ["versions.json", "devnet.json", "chain.json", "status.json", "files.txt"]
    assert names[5:] == ["validator-1/node.log", "validator-1/output.log"]
    versions = json.loads(found["versions.json"])
    assert versions["parahost"] and versions["python"] and versions["packages"]["trio"]
    assert json.loads(found["devnet.json"])["network"]["validators"] == 2
    assert json.loads(found["chain.json"])["genesis"].startswith("0x")
    assert json.loads(found["status.json"]) == {"error": f"{root}: no devnet runs there"}
    assert b"validator-1/keystore/" in found["files.txt"]
    log = found["validator-1/node.log"]
    assert log.endswith(b"the end\n") and log.startswith(b"x" * 99 + b"\n")
    assert TAIL_BYTES - 1000 < len(log) <= TAIL_BYTES
    assert output.stat().st_mode & 0o077 == 0


def test_no_secret_is_in_it(root: Path, tmp_path: Path) -> None:
    output = tmp_path / "report.tar.gz"
    write_bundle(root, output)
    secrets = [PHRASE.encode(), SEED[2:].encode(), b"//validator-1//para"]
    for file in root.rglob("*"):
        if file.is_file() and (file.name == "node-key" or file.parent.name == "keystore"):
            secrets.append(file.read_bytes().strip().strip(b'"'))
    assert len(secrets) >= 3 + 3 * 2
    for name, data in contents(output).items():
        for secret in secrets:
            assert secret.lower() not in data.lower(), (name, secret)
    assert b"it says [secret]!" in contents(output)["validator-1/node.log"]


def test_where_no_devnet_was_there_is_nothing_to_tell(tmp_path: Path) -> None:
    with pytest.raises(BadPlan, match="no devnet has been there"):
        write_bundle(tmp_path, tmp_path / "report.tar.gz")
    assert not (tmp_path / "report.tar.gz").exists()


def test_the_command(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["devnet", "report", "--base-path", "net"]) == 0
    (bundle,) = tmp_path.glob("devnet-report-*.tar.gz")
    assert capsys.readouterr().out.startswith(f"{bundle.name}: ")
    argv = ["devnet", "report", "--base-path", "net", "--output", bundle.name]
    assert run(argv) == 2
    assert capsys.readouterr().err == f"parahost: {bundle.name}: File exists\n"
