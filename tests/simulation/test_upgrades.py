"""A para changes its validation function; its collator knows which one judges its blocks."""

from __future__ import annotations

from typing import Any

import pytest
import wasmtime

from parahost.parachains import BuildContext, Collator, ParachainBlock, ParachainSpec
from parahost.primitives.basic import U32, HeadData, ParaId, ValidationCode
from parahost.primitives.candidates import ValidationResult
from parahost.primitives.hashing import blake2_256
from parahost.primitives.scale import encode
from parahost.simulation import Included, Scenario, Shape, Simulation, plan
from parahost.simulation.journal import TraceEvent

HEAD_BYTES = 16
DATA_BYTES = 1000
"""So that the length before the data always takes two bytes."""
DELAY = 6


def function(version: int) -> ValidationCode:
    """Returns the outputs that the block data hold, if these are for this version.

    Params: length and head (1 + 16), length of the data (2), version (1), length of the outputs
    (4), outputs.
    """
    module = f"""(module
        (memory (export "memory") 2)
        (global (export "__heap_base") i32 (i32.const 1024))
        (func (export "validate_block") (param $at i32) (param i32) (result i64)
            (if (i32.ne (i32.load8_u offset=19 (local.get $at)) (i32.const {version}))
                (then unreachable))
            (i64.or
                (i64.extend_i32_u (i32.add (local.get $at) (i32.const 24)))
                (i64.shl
                    (i64.extend_i32_u (i32.load offset=20 align=1 (local.get $at)))
                    (i64.const 32)))))"""
    return ValidationCode(bytes(wasmtime.wat2wasm(module)))


OLD, NEW = function(1), function(2)


class Upgrading(Collator):
    """Asks for the new function as soon as it may, and tells what it is told of the function that
    waits. Its head: how many blocks, and whether it has asked."""

    async def build(self, parent_head: HeadData, context: BuildContext) -> ParachainBlock:
        count, asked = int.from_bytes(parent_head[:8], "little"), parent_head[8]
        version = 2 if context.validation_code_hash == blake2_256(NEW) else 1
        number = context.relay_parent_number
        code = NEW if not asked and number >= context.new_code_allowed_from else None
        planned = context.planned_upgrade
        if code is not None:
            self._tell("upgrade.asked", expected_at=context.new_code_expected_at)
        elif planned is not None:
            assert planned.code_hash == blake2_256(NEW)
            self._tell("upgrade.waits", expected_at=planned.expected_at, at=number)
        elif asked:
            self._tell("upgrade.holds", version=version, at=number)
        flag = bytes([1 if asked or code else 0])
        head = HeadData((count + 1).to_bytes(8, "little") + flag.ljust(8, b"\0"))
        outputs = encode(ValidationResult(head, code, (), (), U32(0), number))
        data = bytes([version]) + len(outputs).to_bytes(4, "little") + outputs
        return ParachainBlock(data.ljust(DATA_BYTES, b"\0"), head, new_code=code)

    def _tell(self, event: str, **fields: int) -> None:
        self.services.journal.record(event, **fields)


@pytest.mark.guide("A49", "A96")
def test_no_block_is_refused_over_a_change_of_the_function(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = ParachainSpec(
        "upgrading", ParaId(U32(2000)), OLD, f"{__name__}:Upgrading", {}, HeadData(bytes(16)), None
    )
    monkeypatch.setattr(plan, "_specs", lambda _: [spec])
    shape = Shape(validators=4, parachains=1, configuration={"validation_upgrade_delay": DELAY})
    simulation = Simulation(Scenario(shape=shape, blocks=24, expects=(Included(at_least=12),)), 1)
    events: list[TraceEvent] = []
    simulation.trace.watch(events.append)
    outcome = simulation.run()
    assert outcome.ok, outcome.verdicts
    named = [event.event for event in events]
    assert "backing.judged_invalid" not in named and "collation.not_made" not in named
    (changed,) = [event for event in events if event.event == "collation.other_code"]
    made_later = [e for e in events if e.event == "collation.made" and e.at > changed.at]
    assert len(made_later) > 5, "the new function judges, and the para goes on"
    check_what_was_told(events)


def check_what_was_told(events: list[TraceEvent]) -> None:
    """Asked, it waits until its time, and then it judges every block."""
    told = [each for each in events if each.event.startswith("upgrade.")]
    names = [each.event.removeprefix("upgrade.") for each in told]
    asked, waits, holds = (names.count(name) for name in ("asked", "waits", "holds"))
    assert asked and waits and holds > 5
    assert names == ["asked"] * asked + ["waits"] * waits + ["holds"] * holds
    due: Any = told[asked - 1].fields["expected_at"]
    assert {each.fields["expected_at"] for each in told[asked : asked + waits]} == {due}
    assert {each.fields["version"] for each in told[asked + waits :]} == {2}
    last: Any = told[asked + waits - 1].fields["at"]
    assert last >= due
