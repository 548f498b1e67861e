"""The parachain host's modules together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from parahost.ports.verifier import Verifier
from parahost.primitives.basic import U32, BlockNumber, Hash, ParaId
from parahost.primitives.configuration import HostConfiguration
from parahost.runtime.module import Module
from parahost.runtime.parachains.approvals import Approvals
from parahost.runtime.parachains.configuration import MAX_POV_SIZE, Configuration
from parahost.runtime.parachains.disputes import Disputes
from parahost.runtime.parachains.included import IncludedCandidates, SlotClaims
from parahost.runtime.parachains.inclusion import Inclusion
from parahost.runtime.parachains.inclusion_inherent import InclusionInherent
from parahost.runtime.parachains.initializer import Initializer
from parahost.runtime.parachains.notification import SessionChangeNotification
from parahost.runtime.parachains.paras import ParaGenesisArgs, Paras
from parahost.runtime.parachains.remote_disputes import RemoteDisputes
from parahost.runtime.parachains.scheduler import Scheduler
from parahost.runtime.parachains.validity import Validity
from parahost.runtime.parachains.windows import Windows
from parahost.runtime.slashing import Slashing
from parahost.runtime.storage import Overlay, Reader, State
from parahost.runtime.system import System
from parahost.runtime.validity_parameters import ValidityParameters


class Parachains:
    """One instance of each module, each handed those that it needs.

    A block goes :meth:`initialize`, ``inclusion_inherent.dispatch`` exactly once and any other
    calls, :meth:`finalize`, and, if it ends a session, :meth:`on_session_change` with what
    ``initializer.notification`` gives.
    """

    def __init__(
        self,
        system: System,
        verifier: Verifier,
        *,
        claims: SlotClaims,
        parameters: ValidityParameters,
        slashing: Slashing,
    ) -> None:
        self.system = system
        self.configuration = Configuration()
        self.windows = Windows()
        self.paras = Paras(system, self.configuration, self.windows)
        self.scheduler = Scheduler(system, self.configuration, self.paras)
        self.included = IncludedCandidates(
            system,
            self.configuration,
            self.scheduler,
            self.windows,
            parameters=parameters,
            claims=claims,
        )
        self.approvals = Approvals(system, self.included, verifier)
        self.disputes = Disputes(
            system,
            self.included,
            self.approvals,
            slashing=slashing,
            parameters=parameters,
            verifier=verifier,
        )
        self.remote_disputes = RemoteDisputes(
            system, self.paras, self.included, self.disputes, verifier=verifier
        )
        self.validity = Validity(
            system,
            self.configuration,
            self.windows,
            self.included,
            self.approvals,
            self.disputes,
            self.remote_disputes,
        )
        self.inclusion = Inclusion(
            system,
            self.configuration,
            self.paras,
            self.scheduler,
            validity=self.validity,
            slashing=slashing,
            verifier=verifier,
        )
        self.inclusion_inherent = InclusionInherent(system, self.scheduler, self.inclusion)
        self.initializer = Initializer(
            self.configuration, self.paras, self.scheduler, self.inclusion, self.validity
        )

    def __iter__(self) -> Iterator[Module]:
        """The modules, in the order of initialisation, those of which Validity is made before it,
        the Initializer and the inherent last."""
        yield self.configuration
        yield self.paras
        yield self.scheduler
        yield self.inclusion
        yield self.windows
        yield self.included
        yield self.approvals
        yield self.disputes
        yield self.remote_disputes
        yield self.validity
        yield self.initializer
        yield self.inclusion_inherent

    def genesis(
        self,
        store: Overlay,
        configuration: HostConfiguration,
        paras: Iterable[tuple[ParaId, ParaGenesisArgs]],
        max_pov_size: U32 = MAX_POV_SIZE,
    ) -> None:
        """The configuration and paras of the first session, which :meth:`on_session_change` is to
        announce next.

        :raises BadConfiguration: when the configuration is out of its bounds.
        :raises TooManyParachains: when there are more than may have a core.
        """
        self.configuration.genesis(store, configuration, max_pov_size)
        self.paras.genesis(store, paras)

    def initialize(self, store: Overlay) -> None:
        """Begin the host's part of a block."""
        self.initializer.initialize(store)

    def finalize(self, store: Overlay) -> None:
        """End the host's part of a block.

        :raises InclusionMissing: when it has had no inclusion inherent.
        """
        self.inclusion_inherent.finalize(store)
        self.initializer.finalize(store)

    def on_session_change(self, store: Overlay, notification: SessionChangeNotification) -> None:
        """After :meth:`finalize`, in a block that ends a session (D1); and at genesis."""
        self.initializer.on_session_change(store, notification)

    def child_of(self, state: State, parent_hash: Hash) -> Overlay:
        """What a child of the block with that state and hash sees before its first extrinsic."""
        store = Overlay(state)
        number = BlockNumber(U32(self.system.block_number(state) + 1))
        self.system.initialize(store, number, parent_hash, ())
        self.initialize(store)
        return store

    def check(self, store: Reader) -> None:
        """Whether the stored items agree, between blocks.

        :raises RuntimeBug: with the evidence, when they do not.
        """
        for module in self:
            module.check(store)
