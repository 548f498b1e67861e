"""What a devnet consists of: its chain, its nodes, their keys, ports and command lines.

Written to the base path at the first start and read back at the next ones, so that the same
network goes on where it was.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from parahost.crypto.keystore import KeyDirectory
from parahost.devnet.processes import NodeCommand
from parahost.network.identity import Identity
from parahost.node.collation.bans import FIRST_BAN_S
from parahost.parachains import ParachainSpec
from parahost.ports import KeyType
from parahost.primitives.basic import U32
from parahost.primitives.errors import InputError
from parahost.primitives.limits import MAX_VALIDATORS
from parahost.primitives.ss58 import BadAddress, parse_account
from parahost.process.base_path import BasePath
from parahost.rpc.server import USUAL_PORT
from parahost.runtime.balances import UNIT, Endowment
from parahost.runtime.chain_spec import ChainSpec
from parahost.runtime.development import (
    VALIDITY,
    collator_uri,
    endowments,
    local_validator,
    session_uris,
    stakes,
    sudo_account,
    validator_name,
)
from parahost.runtime.genesis import BadGenesis, GenesisConfig
from parahost.runtime.origin import AccountId
from parahost.runtime.parachains.configuration import DEFAULT_CONFIGURATION
from parahost.runtime.parachains.paras import ParaGenesisArgs
from parahost.validation import confinement

PLAN_FILE = "devnet.json"
SPEC_FILE = "chain-spec.json"
EPOCH_SLOTS = 100
LOCK_FILE = "devnet.lock"
LOCALHOST = "127.0.0.1"
PORTS = range(20000, 32000)
RPC_PORTS = range(USUAL_PORT, PORTS.start)


class BadPlan(InputError):
    """The devnet that was asked for cannot be, or not on this base path; says why."""


@dataclass(frozen=True, slots=True)
class DevnetOptions:
    """What was asked for. ``slot_s`` in seconds."""

    validators: int
    parachains: tuple[ParachainSpec, ...]
    parathreads: tuple[ParachainSpec, ...]
    slot_s: float
    base_path: Path
    collator_ban_s: float = FIRST_BAN_S

    @property
    def paras(self) -> tuple[ParachainSpec, ...]:
        return self.parachains + self.parathreads

    def fingerprint(self) -> dict[str, object]:
        """What must be the same for a network to go on."""
        return {
            "validators": self.validators,
            "slot_ms": round(self.slot_s * 1000),
            "parachains": [[spec.id, spec.source] for spec in self.parachains],
            "parathreads": [[spec.id, spec.source] for spec in self.parathreads],
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """A devnet that can be started. ``logs`` are the journals of the nodes by name, ``rpc`` where
    they serve JSON-RPC."""

    commands: tuple[NodeCommand, ...]
    logs: dict[str, Path]
    paras: dict[int, str]
    continued: bool
    rpc: dict[str, str]


@contextmanager
def base_path_taken(root: Path) -> Iterator[None]:
    """This devnet's alone while the block runs; made if it is not there.

    :raises BadPlan: when another devnet runs there, or it is a file.
    :raises OSError: when it cannot be written.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise BadPlan(f"{root}: not a directory; choose another --base-path") from None
    lock = os.open(root / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadPlan(
                f"{root}: another devnet runs there; end it, or choose another --base-path"
            ) from None
        yield
    finally:
        os.close(lock)


def make_plan(options: DevnetOptions) -> Plan:
    """Lay out the network on its base path, or take up the one that is there. The base path is
    to be taken (:func:`base_path_taken`).

    :raises BadPlan: when it cannot be.
    :raises OSError: when the base path cannot be written.
    """
    check_options(options)
    root = options.base_path
    continued = _take_up(root / PLAN_FILE, options)
    spec = root / SPEC_FILE
    if not continued:
        spec.write_text(local_chain(options).to_json())
    names = [validator_name(index) for index in range(options.validators)]
    collators = {_collator_name(para): para for para in options.paras}
    ports = _free_ports(len(names) + len(collators))
    rpc_ports = dict(zip([*names, *collators], _rpc_ports(len(ports)), strict=True))
    addresses = {
        name: f"/ip4/{LOCALHOST}/tcp/{port}"
        for name, port in zip([*names, *collators], ports, strict=True)
    }
    bootnodes = []
    for name in names:
        base = BasePath(root / name)
        bootnodes.append(f"{addresses[name]}/p2p/{Identity(base.load_node_key()).peer}")
        for key_type, uri in session_uris(name).items():
            KeyDirectory(base.keystore).insert(key_type, uri)
    for name in collators:
        KeyDirectory(BasePath(root / name).keystore).insert(KeyType.COLLATOR, collator_uri(name))
    commands = []
    for name in [*names, *collators]:
        argv = ["node", "--chain", str(spec), "--base-path", str(root / name), "--name", name]
        argv += ["--listen", addresses[name], "--rpc-port", str(rpc_ports[name])]
        for bootnode in bootnodes:
            if not bootnode.startswith(addresses[name] + "/"):
                argv += ["--bootnode", bootnode]
        if name in collators:
            argv += ["--role", "collator", "--parachain", collators[name].source]
            argv += ["--para-id", str(collators[name].id)]
        else:
            argv += ["--role", "validator", "--collator-ban", f"{options.collator_ban_s:g}"]
            if confinement.lacking():  # a devnet's code is its user's own
                argv.append("--insecure-workers")
        (root / name).mkdir(parents=True, exist_ok=True)
        commands.append(NodeCommand(name, tuple(argv), root / name / "output.log"))
    (root / PLAN_FILE).write_text(
        json.dumps(
            {
                "network": options.fingerprint(),
                "nodes": {command.name: command.shell() for command in commands},
            },
            indent=2,
        )
        + "\n"
    )
    return Plan(
        tuple(commands),
        {command.name: BasePath(root / command.name).log for command in commands},
        {int(para.id): Path(para.source).stem for para in options.paras},
        continued,
        {name: f"ws://{LOCALHOST}:{port}" for name, port in rpc_ports.items()},
    )


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
        balances=(*endowments(validators, map(_collator_name, options.paras)), *balances),
        stakes=stakes(validators),
        validity=VALIDITY,
        slot_duration_ms=round(options.slot_s * 1000),
        epoch_length=EPOCH_SLOTS,
    )
    try:
        return ChainSpec.of("Local devnet", "devnet", config.build())
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
    cores = len(options.parachains) + min(len(options.parathreads), 1)
    if cores > options.validators:
        raise BadPlan(
            f"{options.validators} validators cannot serve {cores} cores: each core needs a "
            "validator; raise --validators"
        )


def _take_up(plan_file: Path, options: DevnetOptions) -> bool:
    """Whether this same network is on the base path already."""
    if not plan_file.exists():
        return False
    try:
        before = json.loads(plan_file.read_text())["network"]
    except (ValueError, KeyError, TypeError):
        raise BadPlan(
            f"{plan_file}: not a plan of a devnet; delete {plan_file.parent} to begin anew"
        ) from None
    if before != json.loads(json.dumps(options.fingerprint())):
        raise BadPlan(
            f"{plan_file.parent}: another network lives there; start it with its own options, "
            "choose another --base-path, or delete the folder"
        )
    return True


def _collator_name(para: ParachainSpec) -> str:
    return f"collator-{para.id}"


def _free_ports(count: int) -> Sequence[int]:
    """Ports that nobody listens on now. They are below those from which the system takes one for
    each outgoing connection, so that none goes before its node starts, or starts again."""
    start = random.randrange(PORTS.start, PORTS.stop)
    found: list[int] = []
    for port in (*range(start, PORTS.stop), *range(PORTS.start, start)):
        if len(found) == count:
            return found
        if _is_free(port):
            found.append(port)
    raise BadPlan(f"fewer than {count} ports of {PORTS.start} to {PORTS.stop - 1} are free")


def _rpc_ports(count: int) -> Sequence[int]:
    """Free ports from the usual one on."""
    free = (port for port in RPC_PORTS if _is_free(port))
    return list(islice(free, count))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOCALHOST, port))
        except OSError:
            return False
    return True
