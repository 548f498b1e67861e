"""Found by the hunt, with seed 1056: a peer came back before the news that it had left.

One end of a connection that breaks knows of it before the other does. When they met again in
between, the other took the end of the old connection for that of the new one.
"""

from parahost.simulation import CrashAtWrite, Partition, Scenario, Shape, at, at_block

SCENARIO = Scenario(
    about="a validator comes back before the other has heard that it left",
    shape=Shape(validators=2, parachains=0),
    blocks=6,
    faults=(
        CrashAtWrite(who=("validator-2",), at=at(19.1), lasts_s=3.2, write=6),
        Partition(who=("validator-2",), at=at_block(2), lasts_s=10.5),
    ),
)
