"""A seed's scenario: what it draws, and what may be demanded of it.

Networks are small and runs short: many different ones find more than few big ones. Where chance
puts trouble, the run goes on after it for longer than the checkers of liveness wait, so that they
have something to judge; in some runs trouble lasts to the end, and only safety is judged.
"""

from __future__ import annotations

from dataclasses import replace

from parahost.node.role import Role
from parahost.simulation.expectations import Expectation, Finalized, Included
from parahost.simulation.hunt.dice import Dice
from parahost.simulation.hunt.troubles import (
    TroubleSite,
    draw_adversaries,
    draw_conspiracy,
    draw_faults,
    draw_strangers,
    draw_verdict_makers,
)
from parahost.simulation.network import Geography, LinkQuality, Uniform
from parahost.simulation.network.geography import REGIONS
from parahost.simulation.plan import Shape, node_roles
from parahost.simulation.random import Streams
from parahost.simulation.scenario import Scenario

VALIDATORS = (3,) * 5 + (4,) * 7 + (5,) * 3 + (6, 7, 7, 8, 9, 10)
"""Drawn from equally: 4, 7 and 10 are where one more may be bad."""
PARACHAINS = (0, 1, 1, 1, 2, 2, 3)
AFTERWARDS = 14
"""Blocks that follow the last trouble in most runs: more than ``checkers.liveness`` waits."""
QUIET_LAG = 6
"""Blocks that finality and paras may take in a network without trouble, however slow its links."""


def draw(seed: int) -> Scenario:
    """The same one for the same seed, everywhere."""
    streams = Streams(seed).within("hunt")
    shape = _shape(Dice(streams.stream("shape")))
    links, geography = _ways(Dice(streams.stream("ways")))
    dice = Dice(streams.stream("troubles"))
    troubled = 0 if dice.chance(0.1) else dice.between(2, 5)
    calm = AFTERWARDS if dice.chance(0.6) else 1
    stage = TroubleSite(node_roles(shape), shape.cores, troubled, shape.slot_s)
    adversaries = draw_adversaries(Dice(streams.stream("adversaries")), stage)
    faults = draw_faults(Dice(streams.stream("faults")), stage, adversaries) if troubled else ()
    adversaries += draw_verdict_makers(Dice(streams.stream("verdicts")), stage, adversaries, faults)
    conspiracy = draw_conspiracy(Dice(streams.stream("conspiracy")), stage, adversaries, faults)
    adversaries += conspiracy + draw_strangers(Dice(streams.stream("strangers")))
    blocks = troubled + calm if troubled else AFTERWARDS
    drawn = Scenario(
        about=f"drawn with seed {seed}",
        shape=shape,
        blocks=blocks,
        links=links,
        geography=geography,
        faults=faults,
        adversaries=adversaries,
        without=("heads_move",) if conspiracy else (),
    )
    return replace(drawn, expects=_of_quiet(shape, blocks)) if drawn.is_undisturbed else drawn


def _shape(dice: Dice) -> Shape:
    validators = dice.one_of(VALIDATORS)
    parachains = min(dice.one_of(PARACHAINS), validators - 1)
    parathreads = dice.between(1, 2) if dice.chance(0.4) else 0
    rotation = dice.between(2, 10)
    periods = dice.between(2, min(rotation, 6)), dice.between(2, min(rotation, 6))
    return Shape(
        validators=validators,
        parachains=parachains,
        parathreads=parathreads,
        slot_s=dice.one_of((6.0, 6.0, 4.0)),
        epoch_slots=dice.between(5, 15),
        configuration={
            "parachain_rotation_frequency": rotation,
            "chain_availability_period": periods[0],
            "thread_availability_period": periods[1],
            "parathread_retries": dice.between(0, 3),
        },
    )


def _ways(dice: Dice) -> tuple[LinkQuality, Geography | None]:
    geography = Geography(dice.some(REGIONS)) if dice.chance(0.4) else None
    least = dice.span(0.0, 0.1, 2)
    latency = Uniform(least, round(least + dice.span(0.0, 0.3, 2), 2))
    return LinkQuality(latency, bytes_per_s=dice.one_of((12.5e6, 12.5e6, 1.25e6))), geography


def _of_quiet(shape: Shape, blocks: int) -> tuple[Expectation, ...]:
    """Without trouble all goes well, whatever strangers do. A parathread's luck depends on that of
    others."""
    sure = max(blocks - QUIET_LAG, 0)
    chains = [name for name, role in node_roles(shape).items() if role is Role.COLLATOR]
    return (
        Finalized(at_least=sure),
        *(
            Included(at_least=sure // 2, para=int(name.removeprefix("collator-")))
            for name in chains[: shape.parachains]
        ),
    )
