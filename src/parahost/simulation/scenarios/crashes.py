"""Machines die while they wait and while they write, some with their last writes lost."""

from parahost.simulation import Crash, CrashAtWrite, Included, Scenario, Shape, at, at_block

SCENARIO = Scenario(
    about="machines die while they wait and while they write, some with their last writes lost",
    shape=Shape(validators=7, parachains=2),
    blocks=30,
    faults=(
        Crash(who=("validator-1", "collator-2000"), at=at(20.0), lasts_s=8.0, lose=20),
        CrashAtWrite(who=("validator-2",), at=at_block(6), write=3, lose=2),
        CrashAtWrite(who=("validator-3",), at=at(50.0), write=11),
        Crash(who=("validator-4",), at=at_block(11), lasts_s=30.0, lose=1000),
    ),
    expects=(Included(at_least=10),),
)
