"""What a bug report needs to know of a devnet, in one archive, and nothing secret.

Only what is named here goes in, never a key. What the keys and node keys on the base path read is
blotted out wherever else it stands, as in a log or a command line.
"""

from __future__ import annotations

import io
import json
import os
import platform
import re
import tarfile
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any, Final

from parahost import __version__
from parahost.client import RpcClient
from parahost.devnet.base_path import SPEC_FILE
from parahost.devnet.control_socket import NoDevnet, ask
from parahost.devnet.errors import BadPlan
from parahost.devnet.plan_file import PLAN_FILE, PlanFile
from parahost.devnet.requests import TellStatus
from parahost.primitives.errors import OperationalError
from parahost.process.base_path import BasePath
from parahost.runtime.chain_spec import ChainSpec

TAIL_BYTES: Final = 256 * 1024
"""Of each log, so much from its end."""
BLOT: Final = b"[secret]"
_LEAST_SECRET: Final = 4
"""What is shorter is no secret, and would blot out half the logs."""


def write_bundle(root: Path, output: Path) -> list[str]:
    """Write the archive, readable by its owner; gives the names of what is in it. The devnet may
    run, or have ended.

    :raises BadPlan: when no devnet has been on that base path.
    :raises OSError: when the file cannot be written, or is there already.
    """
    plan = PlanFile.read(root)
    if plan is None:
        raise BadPlan(f"{root}: no devnet has been there")
    secrets = list(_secrets(root, plan))
    names = []
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "wb") as sink, tarfile.open(fileobj=sink, mode="w:gz") as archive:
        for name, data in _parts(root, plan):
            blotted = _blot(data, secrets)
            entry = tarfile.TarInfo(f"{output.name.removesuffix('.tar.gz')}/{name}")
            entry.size, entry.mode = len(blotted), 0o600
            archive.addfile(entry, io.BytesIO(blotted))
            names.append(name)
    return names


def _parts(root: Path, plan: PlanFile) -> Iterator[tuple[str, bytes]]:
    yield "versions.json", _json(_versions())
    yield PLAN_FILE, (root / PLAN_FILE).read_bytes()
    yield "chain.json", _json(_chain(root / SPEC_FILE))
    yield "status.json", _json(_status(root))
    yield "files.txt", "".join(_files(root, plan)).encode()
    for name in plan.nodes:
        base = BasePath(root / name)
        for log in (base.log, base.root / "output.log"):
            if log.is_file():
                yield f"{name}/{log.name}", _tail(log)


def _versions() -> dict[str, Any]:
    packages = {}
    for requirement in requires("parahost") or ():
        name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = "absent"
    return {
        "parahost": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "packages": packages,
    }


def _chain(spec_file: Path) -> dict[str, Any]:
    """Which chain it is; its state has all paras' code and is too much."""
    try:
        spec = ChainSpec.from_json(spec_file.read_text(), str(spec_file))
    except (OSError, ValueError) as error:
        return {"error": str(error)}
    genesis = "0x" + spec.genesis_hash().hex()
    return {"name": spec.name, "id": spec.id, "type": spec.chain_type, "genesis": genesis}


def _status(root: Path) -> dict[str, Any]:
    """How it is now, with what each node has as its heads."""
    try:
        status = ask(root, TellStatus())
    except NoDevnet as error:
        return {"error": str(error)}
    for node in status["nodes"]:
        if node["state"] == "running":
            node["heads"] = _heads(node["rpc"].replace("ws://", "http://"))
    return status


def _heads(url: str) -> dict[str, Any]:
    try:
        rpc = RpcClient(url)
        hashes = {
            "best": rpc.ask("chain_getBlockHash"),
            "finalized": rpc.ask("chain_getFinalizedHead"),
        }
        return {
            which: {"hash": hash_, **rpc.ask("chain_getHeader", hash_)}
            for which, hash_ in hashes.items()
        }
    except OperationalError as error:
        return {"error": str(error)}


def _files(root: Path, plan: PlanFile) -> Iterator[str]:
    """What lies in the nodes' folders: mode, size, path."""
    for name in plan.nodes:
        for path in sorted((root / name).rglob("*")):
            status = path.lstat()
            yield f"{status.st_mode:06o} {status.st_size:>12} {path.relative_to(root)}\n"


def _tail(log: Path) -> bytes:
    """Whole lines from its end."""
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL_BYTES))
        data = file.read(TAIL_BYTES)
    return data if size <= TAIL_BYTES else data.partition(b"\n")[2]


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=2).encode() + b"\n"


# Secrets


def _secrets(root: Path, plan: PlanFile) -> Iterator[bytes]:
    for name in plan.nodes:
        base = BasePath(root / name)
        files = [base.node_key, *sorted(base.keystore.glob("*"))]
        for file in files:
            if file.is_file():
                yield from _forms(file.read_bytes())


def _forms(data: bytes) -> Iterator[bytes]:
    """How the secret in a file may be written elsewhere."""
    text = data.strip()
    yield text
    try:
        secret = json.loads(text)
    except ValueError:
        secret = None
    if isinstance(secret, str):
        yield secret.encode()
        yield secret.removeprefix("0x").encode()
    else:
        yield text.removeprefix(b"0x")


def _blot(data: bytes, secrets: Sequence[bytes]) -> bytes:
    """The longest first, so that none is left in part."""
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= _LEAST_SECRET:
            data = re.sub(re.escape(secret), BLOT, data, flags=re.IGNORECASE)
    return data
