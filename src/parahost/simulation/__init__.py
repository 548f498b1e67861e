"""A whole network in one process: deterministic, with faults, adversaries and checkers.

Everything to write a scenario with is here; :mod:`parahost.simulation.harness` runs it::

    from parahost.simulation import *

    outcome = Simulation(Scenario(shape=Shape(validators=7)), seed=1).run()
"""

from parahost.simulation.adversaries import (
    Adversary,
    CensoringAuthor,
    ClaimsUnseen,
    ContradictsItself,
    EmptyAuthor,
    EquivocatingAuthor,
    EquivocatingVoter,
    FloodsBitfields,
    FloodsStatements,
    FloodsViews,
    InvalidCollator,
    NeverClaims,
    SecondsTwo,
    SecondsWrongOutputs,
    SecondsWrongRoot,
    SendsGarbage,
    SendsWrongChunks,
    SlowCollator,
    SpamsAdvertisements,
    VouchesBlindly,
    WithholdsChunks,
    WithholdsPoV,
)
from parahost.simulation.expectations import Expectation, Finalized, Included, Reported
from parahost.simulation.faults import (
    BadLinks,
    BadWorkers,
    Crash,
    CrashAtStep,
    CrashAtWrite,
    DamagedRows,
    Fault,
    FullDisk,
    Moment,
    Partition,
    Stall,
    TinyQueues,
    WrongClock,
    at,
    at_block,
)
from parahost.simulation.harness import Outcome, Simulation
from parahost.simulation.network import Geography, LinkQuality, LongTail, Uniform
from parahost.simulation.plan import BadSimulation, Shape
from parahost.simulation.scenario import BadScenario, Scenario

__all__ = [
    "Adversary",
    "BadLinks",
    "BadScenario",
    "BadSimulation",
    "BadWorkers",
    "CensoringAuthor",
    "ClaimsUnseen",
    "ContradictsItself",
    "Crash",
    "CrashAtStep",
    "CrashAtWrite",
    "DamagedRows",
    "EmptyAuthor",
    "EquivocatingAuthor",
    "EquivocatingVoter",
    "Expectation",
    "Fault",
    "Finalized",
    "FloodsBitfields",
    "FloodsStatements",
    "FloodsViews",
    "FullDisk",
    "Geography",
    "Included",
    "InvalidCollator",
    "LinkQuality",
    "LongTail",
    "Moment",
    "NeverClaims",
    "Outcome",
    "Partition",
    "Reported",
    "Scenario",
    "SecondsTwo",
    "SecondsWrongOutputs",
    "SecondsWrongRoot",
    "SendsGarbage",
    "SendsWrongChunks",
    "Shape",
    "Simulation",
    "SlowCollator",
    "SpamsAdvertisements",
    "Stall",
    "TinyQueues",
    "Uniform",
    "VouchesBlindly",
    "WithholdsChunks",
    "WithholdsPoV",
    "WrongClock",
    "at",
    "at_block",
]
