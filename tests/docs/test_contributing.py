"""The examples in CONTRIBUTING.md do what it says."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import trio
import trio.testing

from parahost.crypto import sr25519
from parahost.crypto.verifier import DirectVerifier
from parahost.node.gossip import (
    BENEFIT_NEW,
    COST_BAD_SIGNATURE,
    COST_NO_VALIDATOR,
    Acceptance,
    Verdict,
)
from parahost.node.messages.base import Message
from parahost.node.messages.network import (
    NetworkBridgeEvent,
    PeerConnected,
    PeerMessage,
    PeerViewChange,
    SendMessage,
    View,
)
from parahost.node.overseer import Subsystem
from parahost.ports import ObservedRole
from parahost.primitives.basic import H256, H512, PeerId, ValidatorId, ValidatorSignature
from parahost.runtime import api
from parahost.runtime.description import describe
from parahost.runtime.dispatch import ModuleRefusal, refusal_of
from parahost.runtime.errors import BadOrigin
from parahost.runtime.module import call_weight, encode_call
from parahost.runtime.origin import AccountId, NoOrigin, Signed
from parahost.runtime.storage import Overlay, State
from parahost.runtime.system import System
from parahost.runtime.weights import micros, nanos
from parahost.simulation import BadScenario, Scenario, Simulation, checkers, faults
from parahost.simulation.scenario_files import load_scenario
from tests.node.harness import make_overseer, running, scripted_leaf

TEXT = (Path(__file__).parents[2] / "docs" / "CONTRIBUTING.md").read_text()
ALICE = AccountId(H256(bytes(32)))


def example(chapter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The chapter's Python, imported."""
    (text,) = (part for part in TEXT.split("\n## ") if part.startswith(f"{chapter}\n"))
    name = chapter.replace(" ", "_")
    path = tmp_path / f"{name}.py"
    path.write_text(text.split("```python\n")[1].split("```")[0])
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def remarks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The chapter's module."""
    return example("A new runtime module", tmp_path, monkeypatch)


def test_a_call_is_made_and_told(remarks: ModuleType) -> None:
    store, system = Overlay(State.from_raw({})), System()
    module, call = remarks.Remarks(system), remarks.Remark(b"good day")
    assert encode_call(call) == bytes((72, 0, 8 << 2)) + b"good day"
    assert call_weight(call) == micros(50) + nanos(15) * 8
    module.dispatch(store, Signed(ALICE), call)
    assert module.last.get(store, ALICE) == b"good day"
    assert [record.event for record in system.block_events(store)] == [remarks.Remarked(ALICE)]


def test_what_is_wrong_is_refused(remarks: ModuleType) -> None:
    store, module = Overlay(State.from_raw({})), remarks.Remarks(System())
    with pytest.raises(BadOrigin):
        module.dispatch(store, NoOrigin(), remarks.Remark(b""))
    with pytest.raises(remarks.TooLong) as refused:
        module.dispatch(store, Signed(ALICE), remarks.Remark(bytes(65)))
    assert refusal_of(refused.value) == ModuleRefusal(72, bytes(4))  # type: ignore[arg-type]
    assert store.changes() == {}


def test_the_module_describes_itself(remarks: ModuleType) -> None:
    (described,) = describe((remarks.Remarks,))
    assert (described.index, described.name) == (72, "Remarks")
    everything: tuple[Any, ...] = (
        *described.storage,
        *described.constants,
        *described.calls,
        *described.events,
        *described.errors,
    )
    assert [each.name for each in everything] == [
        "Last",
        "MaxLength",
        "remark",
        "Remarked",
        "TooLong",
    ]
    assert all(each.documentation for each in everything)


def test_a_fault_comes_and_goes_and_a_checker_watches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In TOML by its name; the run is judged by all checkers and the new one."""
    flapping = example("A new fault", tmp_path, monkeypatch).Flapping
    slots_grow = example("A new checker", tmp_path, monkeypatch).SlotsGrow
    monkeypatch.setattr(faults, "KINDS", {**faults.KINDS, "flapping": flapping})
    file = tmp_path / "loose.toml"
    file.write_text(
        "validators = 4\nparachains = 1\nblocks = 6\n"
        '[[fault]]\nkind = "flapping"\nwho = ["validator-1"]\nat = 8.0\ntimes = 2\n'
    )
    simulation = Simulation(load_scenario(str(file)), 1, checks=(*checkers.ALL, slots_grow))
    seen: list[str] = []
    simulation.trace.watch(lambda event: seen.append(event.event))
    outcome = simulation.run()
    assert outcome.ok, outcome.verdicts
    assert outcome.verdicts["slots_grow"] == "ok"
    assert "fault.flapping" in seen


@pytest.mark.parametrize("field", ["times = 0", "each_s = 0.0"])
def test_a_fault_that_cannot_be_is_refused(
    field: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flapping = example("A new fault", tmp_path, monkeypatch).Flapping
    monkeypatch.setattr(faults, "KINDS", {**faults.KINDS, "flapping": flapping})
    file = tmp_path / "loose.toml"
    file.write_text(f'[[fault]]\nkind = "flapping"\nwho = ["validator-1"]\nat = 8.0\n{field}\n')
    with pytest.raises(BadScenario, match="above 0"):
        load_scenario(str(file))


def test_the_checker_bites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slots_grow = example("A new checker", tmp_path, monkeypatch).SlotsGrow
    simulation = Simulation(Scenario(blocks=3), 1, checks=(slots_grow,))
    assert simulation.run().ok
    (checker,) = simulation.checkers
    third = next(block for block in simulation.record.blocks.values() if block.number == 3)
    checker.on_block(third)
    assert checker.is_ok

    async def bite() -> None:
        checker.on_block(replace(third, parent=third))

    trio.run(bite)
    assert checker.verdict.startswith("slot ") and " in block 3 " in checker.verdict


# A new gossip protocol


@pytest.fixture
def greetings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return example("A new gossip protocol", tmp_path, monkeypatch)


PAIRS = tuple(sr25519.Keypair.from_uri(f"//{name}") for name in ("alice", "bob"))
VALIDATORS = tuple(ValidatorId(H256(pair.public)) for pair in PAIRS)
LEAF = scripted_leaf(
    answers={api.validators: lambda: VALIDATORS, api.session_index_for_child: lambda: 0}
)


def greeting(module: ModuleType, validator: int, *, signed_by: int) -> Any:
    unsigned = module.Greeting(validator, ValidatorSignature(H512(bytes(64))))
    signature = sr25519.sign(PAIRS[signed_by], unsigned.payload(LEAF.session))
    return replace(unsigned, signature=signature)


def test_a_greeting_is_right_when_its_validator_has_signed_it(greetings: ModuleType) -> None:
    rules = greetings.GreetingRules(LEAF.session, DirectVerifier())
    right = greeting(greetings, 1, signed_by=1)
    assert rules.judge(greetings.item_of(right)) == Verdict(Acceptance.ACCEPT, BENEFIT_NEW, right)
    for validator, cost in ((0, COST_BAD_SIGNATURE), (2, COST_NO_VALIDATOR)):
        wrong = greeting(greetings, validator, signed_by=1)
        assert rules.judge(greetings.item_of(wrong)) == Verdict(Acceptance.REJECT, cost)


async def test_greetings_are_heard_and_told(greetings: ModuleType) -> None:
    distribution, heard = greetings.GreetingDistribution(DirectVerifier()), list[Message]()

    class Others(Subsystem):
        """The bridge, and whoever wants to know."""

        name = "others"
        receives = distribution.sends

        def on_message(self, message: Message) -> None:
            heard.append(message)

    alices, bobs = (greeting(greetings, index, signed_by=index) for index in (0, 1))
    peer, late = PeerId("peer"), PeerId("late")

    def works_on_the_head(who: PeerId) -> list[NetworkBridgeEvent]:
        return [PeerConnected(who, ObservedRole.FULL), PeerViewChange(who, View((LEAF.hash,)))]

    overseer = make_overseer([distribution, Others()])
    async with running(overseer, [LEAF]):
        (payload,) = greetings.messages(LEAF.hash, [bobs])
        events = [*works_on_the_head(peer), PeerMessage(peer, payload)]
        for event in events:
            overseer.send(greetings.GreetingNetwork(event))
        overseer.send(greetings.Greet(LEAF.hash, alices))
        for event in works_on_the_head(late):
            overseer.send(greetings.GreetingNetwork(event))
        await trio.testing.wait_all_tasks_blocked()
    assert [m for m in heard if isinstance(m, greetings.Heard)] == [
        greetings.Heard(LEAF.hash, bobs)
    ]
    sent = [message for message in heard if isinstance(message, SendMessage)]
    assert [(m.peers, *greetings.read(m.payload)) for m in sent] == [
        ((peer,), LEAF.hash, [greetings.item_of(alices)]),
        ((late,), LEAF.hash, [greetings.item_of(bobs), greetings.item_of(alices)]),
    ]
