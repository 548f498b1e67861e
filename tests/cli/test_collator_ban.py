"""``--collator-ban`` gets from a devnet's command line to its validators', and from theirs to the
node."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from parahost.cli.main import run
from parahost.devnet.plan import Plan
from parahost.devnet.plan import make_plan as real_make_plan
from parahost.devnet.processes import NodeCommand
from parahost.primitives.errors import OperationalError


class Enough(OperationalError):
    """What was to be seen has been seen."""


def commands_of_devnet(monkeypatch: pytest.MonkeyPatch, *argv: str) -> list[NodeCommand]:
    """The commands of a devnet's nodes."""
    plans: list[Plan] = []

    def make_plan(options: Any, ports: Any) -> None:
        plans.append(real_make_plan(options, ports))
        raise Enough("no node is started")

    def launcher() -> AbstractContextManager[None]:
        return nullcontext()

    monkeypatch.setattr("parahost.devnet.launcher.Launcher", launcher)
    monkeypatch.setattr("parahost.devnet.plan.make_plan", make_plan)
    assert run(["devnet", "--parachain", "adder", *argv]) == 1
    return list(plans[0].commands)


def ban_of_node(monkeypatch: pytest.MonkeyPatch, *argv: str) -> float:
    """What a node is told."""
    told: list[float] = []

    def node(*_: object, collator_ban_s: float, **__: object) -> None:
        told.append(collator_ban_s)
        raise Enough("no node is run")

    monkeypatch.setattr("parahost.process.run_node.Node", node)
    assert run(list(argv)) == 1
    return told[0]


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("asked", "told_s"), [(("--collator-ban", "7.5"), 7.5), ((), 10.0)])
def test_a_devnets_validators_are_told(
    monkeypatch: pytest.MonkeyPatch, asked: tuple[str, ...], told_s: float
) -> None:
    commands = commands_of_devnet(monkeypatch, "--validators", "3", *asked)
    bans = [ban_of_node(monkeypatch, *one.argv) for one in commands if "validator" in one.argv]
    assert bans == [told_s] * 3
    assert [one.argv.count("--collator-ban") for one in commands] == [1, 1, 1, 0]


@pytest.mark.parametrize("seconds", ["-1", "86401", "soon"])
def test_it_is_between_nothing_and_a_day(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (("devnet",), ("node", "--chain", "c", "--base-path", "b")):
        assert run([*command, "--collator-ban", seconds]) == 2
        assert "collator-ban" in capsys.readouterr().err
