"""Machines die while they wait and while they work, some with their last writes lost."""

from parahost.simulation import (
    Crash,
    CrashAtStep,
    CrashAtWrite,
    Included,
    Scenario,
    Shape,
    at,
    at_block,
)

SCENARIO = Scenario(
    about="machines die while they wait and while they work, some with their last writes lost",
    shape=Shape(validators=5, parachains=1),
    blocks=16,
    faults=(
        Crash(who=("validator-1", "collator-2000"), at=at(20.0), lasts_s=8.0, lose=20),
        CrashAtWrite(who=("validator-2",), at=at_block(5), write=3, lose=2),
        CrashAtStep(who=("validator-3",), at=at(40.0), step=100),
        Crash(who=("validator-4",), at=at_block(8), lasts_s=20.0, lose=1000),
    ),
    expects=(Included(at_least=6),),
)
