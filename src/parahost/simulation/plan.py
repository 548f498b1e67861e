"""What network to simulate: sizes, keys, genesis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from parahost.crypto.keystore import keypair_from_uri
from parahost.network.identity import Identity
from parahost.node.role import Role
from parahost.parachains import ParachainSpec, load_specs
from parahost.ports import KeyType
from parahost.primitives.basic import U32, PeerId
from parahost.primitives.errors import InputError
from parahost.primitives.hashing import blake2_256
from parahost.primitives.limits import MAX_VALIDATORS
from parahost.runtime.development import (
    VALIDITY,
    collator_uri,
    endowments,
    local_validator,
    stakes,
    sudo_account,
    validator_name,
    validator_uris,
)
from parahost.runtime.genesis import GenesisConfig
from parahost.runtime.parachains.configuration import DEFAULT_CONFIGURATION
from parahost.runtime.parachains.paras import ParaGenesisArgs
from parahost.runtime.session import Validators
from parahost.runtime.storage import State

MAX_PARATHREADS = 1000
MAX_EPOCH_SLOTS = 1_000_000


ScenarioPart = str | tuple[str, int]
"""A field of a scenario or of its shape; or one of its faults and the like, by its place."""


class BadSimulation(InputError):
    """There can be no such simulation; says what is wrong. ``parts``: what is to blame, the
    likeliest first."""

    def __init__(self, reason: str, *parts: ScenarioPart) -> None:
        super().__init__(reason)
        self.parts = parts


@dataclass(frozen=True, slots=True)
class Shape:
    """The network's form. ``configuration`` overrides fields of the host's configuration.
    ``specs``: what the paras are, parachains first, each an example's name or a TOML file; without
    them, all are adders."""

    validators: int = 4
    parachains: int = 2
    parathreads: int = 0
    slot_s: float = 6.0
    epoch_slots: int = 100
    configuration: Mapping[str, int] = field(default_factory=dict)
    specs: tuple[str, ...] = ()

    @property
    def cores(self) -> int:
        """One for each parachain; one for all parathreads, unless the configuration has more."""
        shared = self.configuration.get("parathread_cores", min(self.parathreads, 1))
        return self.parachains + shared

    def check(self) -> None:
        """:raises BadSimulation: when no such network can be."""
        if not 1 <= self.validators <= MAX_VALIDATORS:
            raise BadSimulation(
                f"{self.validators} validators: 1 to {MAX_VALIDATORS} can be", "validators"
            )
        if self.parachains < 0 or self.parathreads < 0:
            part = "parachains" if self.parachains < 0 else "parathreads"
            raise BadSimulation(f"{getattr(self, part)} {part} cannot be", part)
        if self.parathreads > MAX_PARATHREADS:
            raise BadSimulation(
                f"{self.parathreads} parathreads: at most {MAX_PARATHREADS} can be", "parathreads"
            )
        if self.specs and len(self.specs) != self.parachains + self.parathreads:
            raise BadSimulation(
                f"{len(self.specs)} specs for {self.parachains} parachains and "
                f"{self.parathreads} parathreads",
                "specs",
            )
        if self.cores > self.validators:
            raise BadSimulation(
                f"{self.validators} validators cannot serve {self.cores} cores: "
                "each needs a validator",
                "parachains",
                "parathreads",
                "validators",
                "configuration",
            )
        if not 0.1 <= self.slot_s <= 600:
            raise BadSimulation(f"a slot of {self.slot_s:g} s: 0.1 to 600 s can be", "slot_s")
        if not 1 <= self.epoch_slots <= MAX_EPOCH_SLOTS:
            raise BadSimulation(
                f"an epoch of {self.epoch_slots} slots: 1 to {MAX_EPOCH_SLOTS} can be",
                "epoch_slots",
            )
        for name, value in self.configuration.items():
            if not hasattr(DEFAULT_CONFIGURATION, name):
                raise BadSimulation(
                    f"the host's configuration has no field {name}", "configuration"
                )
            if not 0 <= value < 1 << 32:
                raise BadSimulation(
                    f"{name}: 0 to {(1 << 32) - 1} can be, not {value}", "configuration"
                )


@dataclass(frozen=True, slots=True)
class NodePlan:
    """One node to be."""

    name: str
    role: Role
    peer: PeerId
    keys: tuple[tuple[KeyType, str], ...]
    parachain: ParachainSpec | None = None


@dataclass(frozen=True, slots=True)
class NetworkPlan:
    """A network to be: its genesis and its nodes, validators first."""

    shape: Shape
    genesis: State
    parachains: tuple[ParachainSpec, ...]
    parathreads: tuple[ParachainSpec, ...]
    nodes: tuple[NodePlan, ...]

    owners: Mapping[bytes, str]
    """The names of nodes by their public keys."""
    stakers: Mapping[bytes, str]
    """The names of validators by their accounts."""

    @property
    def validators(self) -> tuple[NodePlan, ...]:
        return tuple(node for node in self.nodes if node.role is Role.VALIDATOR)

    @property
    def paras(self) -> tuple[ParachainSpec, ...]:
        return (*self.parachains, *self.parathreads)

    def owner_of(self, public: bytes) -> str | None:
        """The name of the node that has this key."""
        return self.owners.get(bytes(public))


def plan_network(shape: Shape) -> NetworkPlan:
    """Lay a network out. Keys follow from names, as in a devnet.

    :raises BadSimulation: when there can be none of that form.
    """
    shape.check()
    specs = _specs(shape)
    chains, threads = specs[: shape.parachains], specs[shape.parachains :]
    names = [validator_name(index) for index in range(shape.validators)]
    validators = [
        NodePlan(
            name, Role.VALIDATOR, node_identity(name).peer, tuple(validator_uris(name).items())
        )
        for name in names
    ]
    collators = [
        NodePlan(
            name := collator_name(spec),
            Role.COLLATOR,
            node_identity(name).peer,
            ((KeyType.COLLATOR, collator_uri(name)),),
            spec,
        )
        for spec in specs
    ]
    nodes = (*validators, *collators)
    members = tuple(map(local_validator, names))
    owners = {
        keypair_from_uri(key_type, uri).public: node.name
        for node in nodes
        for key_type, uri in node.keys
    }
    return NetworkPlan(
        shape,
        _genesis(shape, members, chains, threads),
        tuple(chains),
        tuple(threads),
        nodes,
        owners,
        {member.account: name for name, member in zip(names, members, strict=True)},
    )


def node_roles(shape: Shape) -> dict[str, Role]:
    """The names of the nodes of such a network, with what they are."""
    validators = {validator_name(index): Role.VALIDATOR for index in range(shape.validators)}
    return validators | {collator_name(spec): Role.COLLATOR for spec in _specs(shape)}


def collator_name(spec: ParachainSpec) -> str:
    """The collator of para 2000 is ``collator-2000``."""
    return f"collator-{spec.id}"


def _specs(shape: Shape) -> list[ParachainSpec]:
    """Parachains first; where they do not say their ids, these ascend from 2000."""
    return load_specs(shape.specs or ["adder"] * (shape.parachains + shape.parathreads))


def _genesis(
    shape: Shape, validators: Validators, chains: list[ParachainSpec], threads: list[ParachainSpec]
) -> State:
    fields: dict[str, int] = {
        "parathread_cores": min(len(threads), 1),
        "parathread_retries": 3,
        "scheduling_lookahead": max(len(threads), 2),
        **shape.configuration,
    }
    changed: dict[str, Any] = {name: U32(value) for name, value in fields.items()}
    configuration = replace(DEFAULT_CONFIGURATION, **changed)
    return GenesisConfig(
        validators=validators,
        sudo=sudo_account(),
        configuration=configuration,
        paras=tuple(
            (spec.id, ParaGenesisArgs(spec.genesis_head, spec.code, spec in chains))
            for spec in (*chains, *threads)
        ),
        balances=endowments(validators, map(collator_name, (*chains, *threads))),
        stakes=stakes(validators),
        validity=VALIDITY,
        slot_duration_ms=round(shape.slot_s * 1000),
        epoch_length=shape.epoch_slots,
    ).build()


def node_identity(name: str) -> Identity:
    """Who the node of that name is on the network."""
    return Identity(blake2_256(f"node key of {name}".encode()))
