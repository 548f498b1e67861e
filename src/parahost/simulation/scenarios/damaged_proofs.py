"""Found by the hunt, with seed 1269: chunks damaged on disk beyond being read.

Such a chunk is lost, and the others are enough. The checker of recoverability took what it could
not read for a fault of the candidate.
"""

from parahost.simulation import DamagedRows, Scenario, Shape, at

SCENARIO = Scenario(
    about="two validators' chunks are damaged in their proofs",
    shape=Shape(validators=7, parachains=3),
    blocks=4,
    faults=(DamagedRows(who=("validator-3", "validator-5"), at=at(22.3), count=4),),
)
