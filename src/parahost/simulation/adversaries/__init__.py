"""Adversaries: normal nodes with somebody between their parts and the world (habit 12)."""

from collections.abc import Mapping

from parahost.simulation.adversaries.adversary import Adversary, Outsider
from parahost.simulation.adversaries.authors import (
    CensoringAuthor,
    EmptyAuthor,
    EquivocatingAuthor,
)
from parahost.simulation.adversaries.availability import NeverClaims
from parahost.simulation.adversaries.backers import (
    ContradictsItself,
    SecondsTwo,
    SecondsWrongOutputs,
    SecondsWrongRoot,
    VouchesBlindly,
)
from parahost.simulation.adversaries.checkers import (
    ApprovesUnchecked,
    AssignsItselfFalsely,
    WithholdsChecks,
)
from parahost.simulation.adversaries.chunks import (
    ClaimsUnseen,
    SendsWrongChunks,
    WithholdsChunks,
    WithholdsPoV,
)
from parahost.simulation.adversaries.collators import (
    InvalidCollator,
    SlowCollator,
    SpamsAdvertisements,
    TwoCollations,
)
from parahost.simulation.adversaries.disputants import (
    DisputesValid,
    FloodsDisputes,
    VotesBothWays,
    VotesLate,
)
from parahost.simulation.adversaries.flooders import (
    FloodsBitfields,
    FloodsStatements,
    FloodsViews,
)
from parahost.simulation.adversaries.garbage import SendsGarbage
from parahost.simulation.adversaries.garbage_author import GarbageAuthor
from parahost.simulation.adversaries.stranger import Stranger
from parahost.simulation.adversaries.voters import EquivocatingVoter
from parahost.simulation.adversaries.wrong_data import BacksWrongData

KINDS: Mapping[str, type[Adversary]] = {
    adversary.kind: adversary
    for adversary in (
        NeverClaims,
        CensoringAuthor,
        EmptyAuthor,
        EquivocatingAuthor,
        SecondsTwo,
        ContradictsItself,
        VouchesBlindly,
        SecondsWrongOutputs,
        SecondsWrongRoot,
        BacksWrongData,
        WithholdsPoV,
        WithholdsChunks,
        SendsWrongChunks,
        ClaimsUnseen,
        EquivocatingVoter,
        FloodsStatements,
        FloodsBitfields,
        FloodsViews,
        SendsGarbage,
        SlowCollator,
        SpamsAdvertisements,
        InvalidCollator,
        TwoCollations,
        GarbageAuthor,
        Stranger,
        ApprovesUnchecked,
        WithholdsChecks,
        AssignsItselfFalsely,
        DisputesValid,
        VotesBothWays,
        VotesLate,
        FloodsDisputes,
    )
}
"""All adversaries by their names in TOML."""

__all__ = [
    "KINDS",
    "Adversary",
    "ApprovesUnchecked",
    "AssignsItselfFalsely",
    "BacksWrongData",
    "CensoringAuthor",
    "ClaimsUnseen",
    "ContradictsItself",
    "DisputesValid",
    "EmptyAuthor",
    "EquivocatingAuthor",
    "EquivocatingVoter",
    "FloodsBitfields",
    "FloodsDisputes",
    "FloodsStatements",
    "FloodsViews",
    "GarbageAuthor",
    "InvalidCollator",
    "NeverClaims",
    "Outsider",
    "SecondsTwo",
    "SecondsWrongOutputs",
    "SecondsWrongRoot",
    "SendsGarbage",
    "SendsWrongChunks",
    "SlowCollator",
    "SpamsAdvertisements",
    "Stranger",
    "TwoCollations",
    "VotesBothWays",
    "VotesLate",
    "VouchesBlindly",
    "WithholdsChecks",
    "WithholdsChunks",
    "WithholdsPoV",
]
