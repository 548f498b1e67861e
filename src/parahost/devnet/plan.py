"""What a devnet consists of: its chain, its nodes, their keys, ports and command lines.

Written to the base path at the first start and read back at the next ones, so that the same
network goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from parahost.devnet.base_path import SPEC_FILE
from parahost.devnet.editions import ParaChanges, edition_of
from parahost.devnet.errors import BadPlan
from parahost.devnet.layout import Layout, PlannedNode, Seat, collator_name
from parahost.devnet.plan_file import AddedNode, PlanFile
from parahost.devnet.ports import PortClaims
from parahost.devnet.processes import NodeCommand
from parahost.devnet.settings import with_settings
from parahost.node.collation.bans import FIRST_BAN_S
from parahost.node.role import Role
from parahost.parachains import ParachainSpec, load_spec
from parahost.primitives.basic import U32
from parahost.primitives.limits import MAX_VALIDATORS
from parahost.primitives.ss58 import BadAddress, parse_account
from parahost.runtime.balances import UNIT, Endowment
from parahost.runtime.chain_spec import ChainSpec
from parahost.runtime.development import (
    VALIDITY,
    endowments,
    local_validator,
    stakes,
    sudo_account,
    validator_name,
)
from parahost.runtime.genesis import MAX_GENESIS_EPOCH_SLOTS, BadGenesis, GenesisConfig
from parahost.runtime.origin import AccountId
from parahost.runtime.parachains.configuration import DEFAULT_CONFIGURATION
from parahost.runtime.parachains.paras import ParaGenesisArgs

EPOCH_SLOTS = 100
"""Slots in an epoch of a devnet, if not told otherwise."""


@dataclass(frozen=True, slots=True)
class DevnetOptions:
    """What was asked for. ``slot_s`` in seconds. ``settings``: parameters of the chain by name
    (:mod:`~parahost.devnet.settings`)."""

    validators: int
    parachains: tuple[ParachainSpec, ...]
    parathreads: tuple[ParachainSpec, ...]
    slot_s: float
    base_path: Path
    collator_ban_s: float = FIRST_BAN_S
    epoch_slots: int = EPOCH_SLOTS
    settings: Mapping[str, int] = field(default_factory=dict)
    collators: bool = True
    """Whether they are started; if not, somebody does it by hand."""

    @property
    def paras(self) -> tuple[ParachainSpec, ...]:
        return self.parachains + self.parathreads

    def fingerprint(self) -> dict[str, object]:
        """What must be the same for a network to go on."""
        return {
            "validators": self.validators,
            "slot_ms": round(self.slot_s * 1000),
            "epoch": self.epoch_slots,
            "config": dict(self.settings),
            "parachains": [[spec.id, spec.source] for spec in self.parachains],
            "parathreads": [[spec.id, spec.source] for spec in self.parathreads],
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """A devnet that can be started. ``by_hand``: nodes that are laid out, and that somebody else
    starts. ``paras``: their names. ``layout`` is for nodes that come later, ``file`` for what is to
    be known at the next start."""

    root: Path
    nodes: tuple[PlannedNode, ...]
    by_hand: tuple[PlannedNode, ...]
    paras: dict[int, str]
    continued: bool
    layout: Layout
    file: PlanFile
    changes: Mapping[int, ParaChanges]
    """What is another than when the network ran last, by para."""
    slot_s: float

    @property
    def commands(self) -> tuple[NodeCommand, ...]:
        return tuple(node.command for node in self.nodes)

    @property
    def logs(self) -> dict[str, Path]:
        """The journals of the nodes by name."""
        return {node.name: node.log for node in self.nodes}

    @property
    def rpc(self) -> dict[str, str]:
        """Where the nodes serve JSON-RPC, by name."""
        return {node.name: node.rpc for node in self.nodes}


def make_plan(options: DevnetOptions, ports: PortClaims) -> Plan:
    """Lay out the network on its base path, or take up the one that is there. The base path is
    to be taken (:func:`~parahost.devnet.base_path.base_path_taken`).

    :raises BadPlan: when it cannot be.
    :raises OSError: when the base path cannot be written.
    """
    check_options(options)
    root = options.base_path
    earlier = _earlier(options)
    chain_spec = root / SPEC_FILE
    if earlier is None:
        chain_spec.write_text(local_chain(options).to_json())
    file = earlier or PlanFile(options.fingerprint())
    layout = Layout(root, chain_spec, ports, options.collator_ban_s)
    first = list(_seats(options))
    nodes = layout.nodes([*first, *map(_seat, file.added)])
    file.nodes |= {node.name: node.command.shell() for node in nodes}
    changes = _changes(file, nodes)
    file.write(root)
    by_hand = [
        node for node in nodes[: len(first)] if node.seat.para is not None and not options.collators
    ]
    return Plan(
        root,
        tuple(node for node in nodes if node not in by_hand),
        tuple(by_hand),
        {int(para.id): para.name for para in _paras(nodes)},
        earlier is not None,
        layout,
        file,
        changes,
        options.slot_s,
    )


def _changes(file: PlanFile, nodes: Iterable[PlannedNode]) -> dict[int, ParaChanges]:
    """What is another than when this network ran last, by para. From now on its present collators
    are those that ran last."""
    found: dict[int, ParaChanges] = {}
    for spec in _paras(nodes):
        now = edition_of(spec)
        before = file.paras.setdefault(int(spec.id), now)
        if changes := ParaChanges.between(before, now):
            found[int(spec.id)] = changes
        file.paras[int(spec.id)] = replace(before, collator=now.collator)
    return found


def _seats(options: DevnetOptions) -> Iterator[Seat]:
    """The nodes that a network begins with."""
    for index in range(options.validators):
        yield Seat(validator_name(index), Role.VALIDATOR)
    for para in options.paras:
        yield Seat(collator_name(para), Role.COLLATOR, para)


def _paras(nodes: Iterable[PlannedNode]) -> Iterator[ParachainSpec]:
    """Those that have collators, in the order of these."""
    for node in nodes:
        if node.seat.para is not None:
            yield node.seat.para


def _seat(added: AddedNode) -> Seat:
    """A node that came later.

    :raises BadParachainSpec: when what it collates for is no parachain any more.
    """
    para = None if added.source is None else load_spec(added.source, added.para)
    return Seat(added.name, Role(added.role), para)


def local_chain(options: DevnetOptions, balances: tuple[Endowment, ...] = ()) -> ChainSpec:
    """The chain spec of a local network. ``balances`` are for accounts that are not the network's
    own.

    :raises BadPlan: when its parts contradict a rule.
    """
    threads = len(options.parathreads)
    configuration = replace(
        DEFAULT_CONFIGURATION,
        parathread_cores=U32(min(threads, 1)),
        parathread_retries=U32(3),
        scheduling_lookahead=U32(max(threads, 2)),
    )
    validators = tuple(local_validator(validator_name(i)) for i in range(options.validators))
    config = GenesisConfig(
        validators=validators,
        sudo=sudo_account(),
        configuration=configuration,
        paras=tuple(
            (
                para.id,
                ParaGenesisArgs(para.genesis_head, para.code, para in options.parachains),
            )
            for para in sorted(options.paras, key=lambda para: para.id)
        ),
        balances=(*endowments(validators, map(collator_name, options.paras)), *balances),
        stakes=stakes(validators),
        validity=VALIDITY,
        slot_duration_ms=round(options.slot_s * 1000),
        epoch_length=options.epoch_slots,
    )
    try:
        genesis = with_settings(config, options.settings).build()
        return ChainSpec.of("Local devnet", "devnet", genesis)
    except BadGenesis as error:
        raise BadPlan(str(error)) from error


def endowment(text: str) -> Endowment:
    """What an account has at genesis, from ``ACCOUNT=TOKENS``.

    :raises BadPlan: when it is not of that form.
    """
    account, _, tokens = text.partition("=")
    if not (tokens.isascii() and tokens.isdigit() and len(tokens) <= 26):
        raise BadPlan(f"--balance {text}: an account, = and a whole number are expected")
    try:
        return AccountId(parse_account(account)), int(tokens) * UNIT
    except BadAddress as error:
        raise BadPlan(f"--balance {text}: {error}") from error


def check_options(options: DevnetOptions) -> None:
    """:raises BadPlan: when no such network can be."""
    if not 1 <= options.validators <= MAX_VALIDATORS:
        raise BadPlan(
            f"--validators {options.validators}: between 1 and {MAX_VALIDATORS} can be started"
        )
    if not 0.5 <= options.slot_s <= 600:
        raise BadPlan(f"--slot {options.slot_s}: a slot lasts between 0.5 and 600 seconds")
    if not 1 <= options.epoch_slots <= MAX_GENESIS_EPOCH_SLOTS:
        raise BadPlan(
            f"--epoch {options.epoch_slots}: an epoch has 1 to {MAX_GENESIS_EPOCH_SLOTS} slots"
        )
    if options.paras and options.epoch_slots == 1:
        raise BadPlan(
            "--epoch 1: a candidate that is pending ends with its session, so no para would ever"
            " have a block; 2 slots are the least"
        )
    cores = len(options.parachains) + min(len(options.parathreads), 1)
    if cores > options.validators:
        raise BadPlan(
            f"{options.validators} validators cannot serve {cores} cores: each core needs a "
            "validator; raise --validators"
        )


def _earlier(options: DevnetOptions) -> PlanFile | None:
    """What this same network has written down on the base path.

    :raises BadPlan: when it is another network that has.
    """
    root = options.base_path
    file = PlanFile.read(root)
    if file is None:
        return None
    before = {"epoch": EPOCH_SLOTS, "config": {}, **file.network}
    now = json.loads(json.dumps(options.fingerprint()))
    if differences := [name for name in now if before.get(name) != now[name]]:
        then = ", ".join(f"{name} {json.dumps(before.get(name))}" for name in differences)
        raise BadPlan(
            f"{root}: another network lives there; start it with its own options ({then}),"
            " begin anew with --fresh, or choose another --base-path"
        )
    return file
