"""A whole network in one process: deterministic, with faults, adversaries and checkers.

Everything to write a scenario with is here; :mod:`parahost.simulation.harness` runs it::

    from parahost.simulation import *

    outcome = Simulation(Scenario(shape=Shape(validators=7)), seed=1).run()
"""

from parahost.node.overseer.overseer import Interceptor
from parahost.simulation.adversaries import (
    Adversary,
    BacksWrongData,
    CensoringAuthor,
    ClaimsUnseen,
    ContradictsItself,
    EmptyAuthor,
    EquivocatingAuthor,
    EquivocatingVoter,
    FloodsBitfields,
    FloodsStatements,
    FloodsViews,
    GarbageAuthor,
    InvalidCollator,
    NeverClaims,
    Outsider,
    SecondsTwo,
    SecondsWrongOutputs,
    SecondsWrongRoot,
    SendsGarbage,
    SendsWrongChunks,
    SlowCollator,
    SpamsAdvertisements,
    Stranger,
    TwoCollations,
    VouchesBlindly,
    WithholdsChunks,
    WithholdsPoV,
)
from parahost.simulation.build import Alteration, Build
from parahost.simulation.checkers import ALL as CHECKERS
from parahost.simulation.checkers import Checker, Scene, SignatureMade
from parahost.simulation.expectations import (
    Accepted,
    Disputed,
    Expectation,
    Finalized,
    Included,
    Punished,
    Reported,
)
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
    World,
    WrongClock,
    at,
    at_block,
)
from parahost.simulation.harness import Outcome, Simulation
from parahost.simulation.journal import TraceEvent
from parahost.simulation.network import Geography, LinkQuality, LongTail, Uniform
from parahost.simulation.plan import BadSimulation, Shape
from parahost.simulation.record import RecordedBlock
from parahost.simulation.scenario import BadScenario, Scenario
from parahost.simulation.scenario_files import load_scenario

__all__ = [
    "CHECKERS",
    "Accepted",
    "Adversary",
    "Alteration",
    "BacksWrongData",
    "BadLinks",
    "BadScenario",
    "BadSimulation",
    "BadWorkers",
    "Build",
    "CensoringAuthor",
    "Checker",
    "ClaimsUnseen",
    "ContradictsItself",
    "Crash",
    "CrashAtStep",
    "CrashAtWrite",
    "DamagedRows",
    "Disputed",
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
    "GarbageAuthor",
    "Geography",
    "Included",
    "Interceptor",
    "InvalidCollator",
    "LinkQuality",
    "LongTail",
    "Moment",
    "NeverClaims",
    "Outcome",
    "Outsider",
    "Partition",
    "Punished",
    "RecordedBlock",
    "Reported",
    "Scenario",
    "Scene",
    "SecondsTwo",
    "SecondsWrongOutputs",
    "SecondsWrongRoot",
    "SendsGarbage",
    "SendsWrongChunks",
    "Shape",
    "SignatureMade",
    "Simulation",
    "SlowCollator",
    "SpamsAdvertisements",
    "Stall",
    "Stranger",
    "TinyQueues",
    "TraceEvent",
    "TwoCollations",
    "Uniform",
    "VouchesBlindly",
    "WithholdsChunks",
    "WithholdsPoV",
    "World",
    "WrongClock",
    "at",
    "at_block",
    "load_scenario",
]
