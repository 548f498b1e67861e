"""Found by the hunt, with seed 1112: votes for a block of a fork held finality for ever.

Two of three validators stand still for six slots. One makes a block meanwhile and votes for it; its
chain then loses, so nobody announces it any more, and those who lack it could not count the vote.
"""

from parahost.simulation import Finalized, Scenario, Shape, Stall, at

SCENARIO = Scenario(
    about="a vote is for a block of a fork that nobody announces any more",
    shape=Shape(validators=3, parachains=0),
    blocks=17,
    faults=(Stall(who=("validator-2", "validator-3"), at=at(23.3), lasts_s=36.7),),
    expects=(Finalized(at_least=14),),
)
