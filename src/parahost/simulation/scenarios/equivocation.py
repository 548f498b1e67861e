"""An author makes two blocks for each of its slots."""

from parahost.simulation import EquivocatingAuthor, Finalized, Reported, Scenario, Shape

SCENARIO = Scenario(
    about="an author makes two blocks for each of its slots",
    shape=Shape(validators=4, parachains=1),
    blocks=12,
    adversaries=(EquivocatingAuthor(who=("validator-1",)),),
    expects=(Reported(misbehaviour="BabeEquivocationProof"), Finalized(at_least=6)),
)
