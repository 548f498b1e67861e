"""What a node holds is counted the same each time, and the world is left out."""

from __future__ import annotations

from collections import OrderedDict, deque

from parahost.primitives.scale import BitVec
from parahost.simulation import Scenario, Shape, Simulation
from parahost.simulation.checkers import Checker
from parahost.simulation.memory import Held, count
from parahost.storage.memory import MemoryDatabase


def test_what_counts() -> None:
    assert count({"number": 5}) == {"number": Held()}
    assert count({"bytes": b"abc"}) == {"bytes": Held(0, 3)}
    assert count({"map": {"a": [1, 2], "bc": (b"xyz",)}}) == {"map": Held(5, 6)}
    containers = [{1}, frozenset({2}), deque([3]), OrderedDict({4: 5})]
    assert count({"each": containers}) == {"each": Held(8, 0)}
    assert count({"ours": BitVec(b"\x01", 3)}) == {"ours": Held(0, 1)}


def test_an_object_counts_once() -> None:
    shared = [1, 2, 3]
    assert count({"first": (shared, shared), "second": [shared]}) == {
        "first": Held(5, 0),
        "second": Held(1, 0),
    }
    circle: list[object] = []
    circle.append(circle)
    assert count({"circle": circle}) == {"circle": Held(1, 0)}


def test_the_world_does_not_count() -> None:
    assert count({"disk": MemoryDatabase(), "kind": dict, "call": print}) == {
        "disk": Held(),
        "kind": Held(),
        "call": Held(),
    }


class Taking(Checker):
    """Takes down what a node holds in the end."""

    name = "taking"

    def at_end(self) -> None:
        parts = self.scene.memory_of("validator-1")
        self.violated(str({name: str(held) for name, held in parts.items()}))


def test_each_run_counts_the_same() -> None:
    scenario = Scenario(shape=Shape(validators=4, parachains=1), blocks=4)
    first, again = (
        Simulation(scenario, 1, checks=[Taking]).run().verdicts["taking"] for _ in range(2)
    )
    assert first == again
    for part in ("grandpa._machine", "sync._peers", "provisioner.queue", "runtime-api.answers"):
        assert f"'{part}'" in first
