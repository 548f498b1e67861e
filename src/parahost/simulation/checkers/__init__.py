"""Independent checkers: each watches a run from outside for one promise of the guide.

They are written from the guide, apart from the node's code, and read blocks, states, disks and
traces. Each is shown to bite by a planted fault in ``tests/simulation/checkers``.
"""

from collections.abc import Sequence

from parahost.simulation.checkers.availability import RecoverableAndValid
from parahost.simulation.checkers.backing import BackedByItsGroup
from parahost.simulation.checkers.bounds import BoundedQueues, BoundedStores, NodesStayUp
from parahost.simulation.checkers.checker import OK, Checker, Scene, SignatureMade
from parahost.simulation.checkers.databases import LegalDatabases
from parahost.simulation.checkers.finality import NoConflictingFinality
from parahost.simulation.checkers.honesty import (
    NoContradiction,
    NoFalseAlarm,
    NoHonestReported,
)
from parahost.simulation.checkers.inclusion import IncludedByTwoThirds, OnePendingPerPara
from parahost.simulation.checkers.liveness import ChainGrows, FinalityCatchesUp, HeadsMove
from parahost.simulation.checkers.memory import BoundedMemory
from parahost.simulation.checkers.parathreads import ClaimsGetTheirTries
from parahost.simulation.checkers.stakes import (
    InvalidBackersSlashed,
    NoHonestSlashed,
    StakeConserved,
)
from parahost.simulation.checkers.states import IssuanceAgrees, OneStateRoot
from parahost.simulation.checkers.undisturbed import StrangersChangeNothing
from parahost.simulation.checkers.verdicts import (
    AcceptedOrDisputed,
    DisputesConclude,
    NothingFinalInvalid,
    NoWakeUpMissing,
)

ALL: Sequence[type[Checker]] = (
    NoConflictingFinality,
    OneStateRoot,
    IssuanceAgrees,
    BackedByItsGroup,
    RecoverableAndValid,
    OnePendingPerPara,
    IncludedByTwoThirds,
    ClaimsGetTheirTries,
    NothingFinalInvalid,
    AcceptedOrDisputed,
    NoWakeUpMissing,
    DisputesConclude,
    InvalidBackersSlashed,
    NoHonestSlashed,
    StakeConserved,
    NoContradiction,
    NoHonestReported,
    NoFalseAlarm,
    HeadsMove,
    FinalityCatchesUp,
    ChainGrows,
    StrangersChangeNothing,
    BoundedQueues,
    BoundedStores,
    BoundedMemory,
    LegalDatabases,
    NodesStayUp,
)
"""In the order in which their verdicts are told."""

__all__ = ["ALL", "OK", "Checker", "Scene", "SignatureMade"]
