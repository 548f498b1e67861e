"""``parahost call``, ``query``, ``events`` and ``para`` as a developer types them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from parahost.cli.main import run
from parahost.primitives.basic import H256, U32, ParaId
from parahost.primitives.ss58 import ss58_encode
from parahost.runtime import api
from parahost.runtime.balances import UNIT
from parahost.runtime.extrinsic import open_envelope
from parahost.runtime.origin import AccountId
from parahost.runtime.system import BLOCK_HASH_COUNT
from tests.client.node import Node, serving
from tests.runtime.world import GENESIS, Chain, account

ALICE, BOB = (ss58_encode(account(name)) for name in ("Alice", "Bob"))
TREASURE = AccountId(H256(b"\x77" * 32))
GOVERNED = replace(GENESIS, sudo=account("Alice"), epoch_length=1000)


@pytest.fixture
def node() -> Node:
    node = Node(Chain(GOVERNED))
    for _ in range(2):
        node.step()
    return node


@pytest.fixture
def url(node: Node) -> Iterator[str]:
    with serving(node) as address:
        yield address


class Console:
    def __init__(self, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        self._url = url
        self._capsys = capsys

    def lines(self, *argv: str) -> list[Any]:
        assert run((*argv, "--url", self._url)) == 0, self._capsys.readouterr().err
        return [json.loads(line) for line in self._capsys.readouterr().out.splitlines()]

    def refusal(self, *argv: str) -> str:
        assert run((*argv, "--url", self._url)) in (1, 2)
        return self._capsys.readouterr().err


@pytest.fixture
def console(url: str, capsys: pytest.CaptureFixture[str]) -> Console:
    capsys.readouterr()
    return Console(url, capsys)


# Calls


@pytest.mark.parametrize("scheme", ["sr25519", "ed25519", "ecdsa"])
def test_a_transfer_is_made_and_told(
    console: Console, node: Node, scheme: str, tmp_path: Path
) -> None:
    from parahost.client import Scheme, Signer

    who = Signer.from_uri("//Nobody", Scheme(scheme))
    console.lines("call", "Balances.transfer_keep_alive", ss58_encode(who.account), str(5 * UNIT))
    key = tmp_path / "key"
    key.write_text("//Nobody\n")
    call = ("call", "Balances.transfer_keep_alive", BOB, "1_000_000_000_000")
    made = console.lines(*call, "--key-file", str(key), "--scheme", scheme)[0]
    amount = {"from": ss58_encode(who.account), "to": BOB, "amount": UNIT}
    assert {"Balances.Transfer": amount} in made["events"]
    assert made["index"] == 2
    assert console.lines("query", "System.Account", BOB)[0]["data"]["free"] == 1001 * UNIT


def test_a_mortal_extrinsic_is_signed(console: Console, node: Node) -> None:
    console.lines("call", "System.remark", "said", "--tip", "7")
    envelope = open_envelope(node.chain.blocks[-2].extrinsics[-1])
    assert envelope.signature is not None
    era = envelope.signature.extra.era
    assert era is not None and era.period < BLOCK_HASH_COUNT
    assert (envelope.signature.extra.nonce, envelope.signature.extra.tip) == (0, 7)


def test_a_dry_run_sends_nothing(console: Console, node: Node) -> None:
    height = node.chain.header.number
    told = console.lines("call", "System.remark_with_event", "0x1234", "--dry-run")[0]
    assert told["signer"] == ALICE
    assert told["call"] == "0x0007081234"
    assert told["decoded"] == {"System": {"remark_with_event": {"remark": "0x1234"}}}
    assert told["fee"] == 10**9 + 10**6 * (len(told["extrinsic"]) // 2 - 1)
    assert node.chain.header.number == height
    assert "author_submitExtrinsic" not in node.asked


def test_governance_calls(console: Console, node: Node) -> None:
    made = console.lines("call", "Configuration.set_acceptance_period", "77", "--sudo")[0]
    assert {"Sudo.Sudid": {"error": None}} in made["events"]
    assert "error" not in made


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (("Balances.transfer_keep_alive", BOB, str(10**30)), "Token.FundsUnavailable"),
        (("Parathreads.claim", "999"), "NotRegistered: The para is not there"),
        (("Registrar.deregister", "100"), "BadOrigin"),
        (("Registrar.deregister", "999", "--sudo"), "Paras.NotRegistered"),
        (("System.remark", "x", "--signer", "//Poor"), "Inability to pay some fees"),
        (("System.remark", "x", "--scheme", "rsa"), "none of sr25519"),
        (("System.remark", "x", "--signer", "//A", "--key-file", "k"), "give one of them"),
        (("System.remark", "x", "--key-file", "absent"), "absent"),
        (("System.remark", "@absent"), "@absent: No such file"),
        (("Balances.transfer", BOB, "1"), "it has transfer_all"),
        (("Balances",), "PALLET.NAME is expected"),
        (("Balances.transfer_keep_alive", "Bob", "1"), "no address"),
    ],
)
def test_why_a_call_is_not_made(console: Console, argv: tuple[str, ...], why: str) -> None:
    assert why in console.refusal("call", *argv)


def test_nobody_answers(capsys: pytest.CaptureFixture[str]) -> None:
    for url, why in (("http://127.0.0.1:1", "does not answer"), ("devnet", "no address of a node")):
        assert run(("query", "System.Number", "--url", url)) in (1, 2)
        assert why in capsys.readouterr().err


# Looking


def test_values_and_maps(console: Console, node: Node) -> None:
    assert console.lines("query", "System.Number") == [2]
    assert console.lines("query", "System.Number", "--at", "1") == [1]
    hash_ = node.chain_getBlockHash(1)
    assert console.lines("query", "System.Number", "--at", str(hash_)) == [1]
    stranger = ss58_encode(TREASURE)
    assert console.lines("query", "System.Account", stranger)[0]["data"]["free"] == 0
    accounts = console.lines("query", "System.Account")
    assert len(accounts) == len(GENESIS.balances) > 3, "more than one page"
    assert {entry["keys"][0] for entry in accounts} >= {ALICE, BOB}
    assert console.lines("query", "Paras.FutureCode", "100") == [None]
    assert console.lines("query", "Paras.FutureCode") == []


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (("System.Numbers",), "it has Account"),
        (("System.Number", "1"), "no map"),
        (("System.Account", BOB, BOB), "it has 1 keys"),
        (("System.Account", "5"), "no address"),
        (("System.Number", "--at", "99"), "no block 99"),
        (("System.Number", "--at", "best"), "number or hash"),
    ],
)
def test_why_nothing_is_read(console: Console, argv: tuple[str, ...], why: str) -> None:
    assert why in console.refusal("query", *argv)


def test_events_of_a_block(console: Console) -> None:
    console.lines("call", "Balances.transfer_keep_alive", BOB, str(UNIT))
    told = console.lines("events", "--at", "3")
    of_the_transfer = [each for each in told if each.get("extrinsic") == 2]
    assert [each["event"] for each in of_the_transfer] == [
        "TransactionPayment.TransactionFeePaid",
        "Balances.Transfer",
        "System.ExtrinsicSuccess",
    ]
    assert {each["block"] for each in told} == {3}
    assert console.lines("events", "--finalized") == told


def test_a_block_that_is_not_there_has_no_events(console: Console) -> None:
    nobody = f"0x{'00' * 32}"
    assert f"knows no block {nobody}" in console.refusal("events", "--at", nobody)


# Paras


def test_paras_are_registered_listed_upgraded_and_deregistered(
    console: Console, tmp_path: Path
) -> None:
    console.lines("para", "register", "adder", "--parathread", "--id", "3001")
    listed = {each["para"]: each for each in console.lines("para", "list")}
    coming = listed[3001]
    assert (coming["kind"], coming["state"]) == ("parathread", "comes with the next session")
    assert listed[100]["kind"] == "parachain" and listed[200]["kind"] == "parathread"
    console.lines("para", "deregister", "101")
    listed = {each["para"]: each for each in console.lines("para", "list")}
    assert listed[101]["state"] == "goes with the next session"
    assert "Paras.NotRegistered" in console.refusal("para", "upgrade", "adder")
    code = tmp_path / "code.wasm"
    code.write_bytes(b"\0asm new")
    console.lines("call", "Registrar.schedule_code_upgrade", "100", f"@{code}", "--sudo")
    console.lines("para", "upgrade", "adder", "--id", "200")
    listed = {each["para"]: each for each in console.lines("para", "list")}
    assert listed[100]["upgrade_at"] > 0 and listed[200]["upgrade_at"] > 0
    assert "root key" in console.refusal("para", "deregister", "100", "--signer", "//Bob")


def test_a_parathread_is_claimed(console: Console, node: Node) -> None:
    console.lines("para", "claim", "200", "--signer", "//Bob")
    assert api.parathread_claimed(node.chain.state, ParaId(U32(200)))
