"""``parahost keys``, ``chain-spec`` and ``inspect`` as a user calls them."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest

from parahost.cli.main import run
from parahost.crypto.keystore import KeyDirectory
from parahost.node.subsystems import declared_graph
from parahost.ports import KeyType
from parahost.primitives.basic import H256
from parahost.primitives.ss58 import ss58_encode
from parahost.runtime.chain_spec import ChainSpec
from parahost.runtime.development import local_validator, sudo_account
from parahost.runtime.origin import AccountId
from parahost.runtime.read_only import MODULES

ALICE = "0xd43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d"
"""//Alice's sr25519 key, as every Substrate chain knows it."""
ALICE_ED25519 = "0x88dc3417d5058ec4b4503e0c12ea1a0a89be200fe98922423d4334014fa6b0ee"
"""Likewise her ed25519 key."""
ADDRESSES = {
    ALICE: "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY",
    ALICE_ED25519: "5FA9nQDVg267DEd8m1ZypXLBnvN7SFxYwV7ndqSYGiN9TTpu",
}
"""As they are written on chains without a prefix of their own."""


def output(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    capsys.readouterr()
    assert run(argv) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("purpose", "scheme", "public"),
    [
        ("account", "sr25519", ALICE),
        ("babe", "sr25519", ALICE),
        ("grandpa", "ed25519", ALICE_ED25519),
    ],
)
def test_a_known_key(
    purpose: str, scheme: str, public: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = json.loads(output(capsys, "keys", "inspect", "//Alice", "--purpose", purpose))
    address = found.pop("address")
    assert found == {"scheme": scheme, "purpose": purpose, "public": public}
    assert address == ADDRESSES[public]


def test_a_new_key_is_what_its_phrase_gives(capsys: pytest.CaptureFixture[str]) -> None:
    made = json.loads(output(capsys, "keys", "generate", "--purpose", "grandpa"))
    phrase = made.pop("phrase")
    assert len(phrase.split()) == 12
    assert json.loads(output(capsys, "keys", "inspect", phrase, "--purpose", "grandpa")) == made
    other = json.loads(output(capsys, "keys", "generate"))
    assert other["phrase"] != phrase


def test_an_inserted_key_is_in_the_keystore(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ("keys", "insert", "//Alice", "--base-path", str(tmp_path), "--purpose", "babe")
    assert output(capsys, *argv) == f"{ALICE}\n"
    keys = KeyDirectory(tmp_path / "keystore").load()
    assert list(keys.public_keys(KeyType.BABE)) == [bytes.fromhex(ALICE[2:])]


def test_a_chain_spec_has_the_validators_that_were_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = output(capsys, "chain-spec", "new", "--validators", "3", "--parachain", "adder")
    spec = ChainSpec.from_json(printed, "stdout")
    third, fourth = local_validator("validator-3"), local_validator("validator-4")
    assert any(bytes(third.keys.babe) in value for value in spec.top.values())
    assert not any(bytes(fourth.keys.babe) in value for value in spec.top.values())
    file = tmp_path / "spec.json"
    same = ("--validators", "3", "--parachain", "adder", "--output", str(file))
    assert output(capsys, "chain-spec", "new", *same) == ""
    assert file.read_text() == printed


def test_the_graph_is_printed_an_edge_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    lines = output(capsys, "inspect", "graph").splitlines()
    shown = [tuple(line.replace("--", " ").replace("> ", " ").split()) for line in lines]
    assert shown == declared_graph()


@pytest.mark.parametrize("write", [ss58_encode, lambda account: f"0x{account.hex()}"])
def test_a_chain_spec_endows_whom_it_names(
    write: Callable[[bytes], str], capsys: pytest.CaptureFixture[str]
) -> None:
    stranger = AccountId(H256(b"\x77" * 32))
    printed = output(capsys, "chain-spec", "new", "--balance", f"{write(stranger)}=5")
    state = ChainSpec.from_json(printed, "printed").genesis_state()
    system = MODULES.system
    assert system.account.get(state, stranger).data.free == 5 * 10**12
    assert system.account.get(state, sudo_account()).data.free == 10**6 * 10**12
    MODULES.balances.check(state)


@pytest.mark.parametrize(
    ("balance", "why"),
    [
        ("5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQZ=5", "checksum"),
        ("0x77=5", "32 bytes"),
        (ADDRESSES[ALICE], "whole number"),
        (ADDRESSES[ALICE] + "=-1", "whole number"),
    ],
)
def test_whom_and_what_a_balance_may_name(
    balance: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(("chain-spec", "new", "--balance", balance)) == 2
    assert why in capsys.readouterr().err


def test_wallets_are_told_how_to_write_accounts_and_amounts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    spec = json.loads(output(capsys, "chain-spec", "new"))
    assert spec["properties"] == {"ss58Format": 42, "tokenDecimals": 12, "tokenSymbol": "UNIT"}


def test_a_secret_from_standard_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    argv = ("keys", "insert", "-", "--base-path", str(tmp_path), "--purpose", "babe")
    monkeypatch.setattr("sys.stdin", StringIO("//Alice\n"))
    assert output(capsys, *argv) == f"{ALICE}\n"
    for text in ("", "\n", "//Alice\n//Bob\n"):
        monkeypatch.setattr("sys.stdin", StringIO(text))
        assert run(argv) == 2
        assert "one line with the secret" in capsys.readouterr().err


def test_key_files_are_for_their_owner_only(tmp_path: Path) -> None:
    keys = KeyDirectory(tmp_path / "keystore")
    assert keys.exposed() == []
    keys.insert(KeyType.BABE, "//Alice")
    keys.insert(KeyType.GRANDPA, "//Alice")
    (tmp_path / "keystore" / "notes").write_text("")
    assert keys.exposed() == []
    file = next(file for file in (tmp_path / "keystore").iterdir() if file.name != "notes")
    file.chmod(0o640)
    assert keys.exposed() == [file]
