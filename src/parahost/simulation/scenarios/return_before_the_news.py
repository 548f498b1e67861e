"""Found by the hunt, with seed 1001: a peer came back before the news that it had left.

One end of a connection that breaks knows of it before the other does. When they meet again in
between, the other had the new connection taken for the old one.
"""

from parahost.simulation import Crash, Partition, Scenario, Shape, at

SCENARIO = Scenario(
    about="validators come back before all have heard that they left",
    shape=Shape(validators=4, parachains=1),
    blocks=16,
    faults=(
        Partition(who=("validator-1",), at=at(8.0), lasts_s=11.0, one_way=True),
        Partition(who=("validator-2",), at=at(9.5), lasts_s=10.4),
        Crash(who=("validator-1", "validator-3"), at=at(14.0), lasts_s=0.5),
    ),
)
