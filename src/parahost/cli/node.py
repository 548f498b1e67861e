"""``parahost node``: one node, from a chain spec."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class RpcMethods(StrEnum):
    AUTO = "auto"
    SAFE = "safe"
    UNSAFE = "unsafe"


class RoleName(StrEnum):
    VALIDATOR = "validator"
    COLLATOR = "collator"
    FULL = "full"


def node(
    chain: Annotated[Path, typer.Option(help="The chain spec, a JSON file.")],
    base_path: Annotated[Path, typer.Option(help="Where the node keeps its files.")],
    role: Annotated[RoleName, typer.Option(help="What it does.")] = RoleName.FULL,
    name: Annotated[str, typer.Option(help="What it is called in its log.")] = "node",
    listen: Annotated[
        list[str] | None,
        typer.Option(help="A multiaddress to listen on; /ip4/127.0.0.1/tcp/0 if none is given."),
    ] = None,
    bootnode: Annotated[
        list[str] | None, typer.Option(help="Where to find other nodes: /ip4/.../tcp/.../p2p/...")
    ] = None,
    reserved_peer: Annotated[
        list[str] | None,
        typer.Option(help="Whom to dial always and keep a place for: /ip4/.../tcp/.../p2p/..."),
    ] = None,
    public_address: Annotated[
        list[str] | None,
        typer.Option(
            help="Where others reach this node, if not where it listens (NAT): /ip4/.../tcp/..."
        ),
    ] = None,
    parachain: Annotated[
        str | None,
        typer.Option(help="For a collator: a shipped example's name, or a TOML file."),
    ] = None,
    para_id: Annotated[
        int | None, typer.Option(help="The para's id, where its SPEC names none.")
    ] = None,
    archive: Annotated[
        bool, typer.Option("--archive", help="Keep the state of every block.")
    ] = False,
    log: Annotated[
        Path | None, typer.Option(help="The log file; node.log in the base path if not given.")
    ] = None,
    collator_ban: Annotated[
        float,
        typer.Option(
            min=0,
            max=86400,
            help="For a validator: for how many seconds it does not hear a collator after an"
            " invalid block; doubled each time.",
        ),
    ] = 10.0,
    insecure_workers: Annotated[
        bool,
        typer.Option(
            "--insecure-workers",
            help="Execute validation functions also where the kernel cannot confine them.",
        ),
    ] = False,
    development_control: Annotated[
        bool,
        typer.Option(
            "--development-control",
            help="For development only: let the base path's development.json set the clock wrong"
            " and cut links.",
        ),
    ] = False,
    rpc_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Where to serve JSON-RPC, 0 for any free port; 9944 if none is given, or any"
            " when that is taken.",
        ),
    ] = None,
    rpc_external: Annotated[
        bool, typer.Option("--rpc-external", help="Serve JSON-RPC to other machines too.")
    ] = False,
    rpc_methods: Annotated[
        RpcMethods,
        typer.Option(help="Which methods to serve; `auto`: unsafe ones to this machine only."),
    ] = RpcMethods.AUTO,
    rpc_cors: Annotated[
        list[str] | None,
        typer.Option(
            help="An origin whose pages may call, beside this machine's; `*` for all."
            " https://polkadot.js.org if none is given."
        ),
    ] = None,
    prometheus_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Where to tell metrics to Prometheus, 0 for any free port; 9615 if none is given,"
            " or any when that is taken.",
        ),
    ] = None,
    prometheus_external: Annotated[
        bool, typer.Option("--prometheus-external", help="Tell metrics to other machines too.")
    ] = False,
) -> None:
    """Run one node until it is asked to stop (Ctrl-C, SIGTERM).

    A validator signs with the keys in its base path's keystore: see `parahost keys insert`.
    """
    import trio

    from parahost.cli.failure import BadInput
    from parahost.node.role import Role
    from parahost.parachains import load_spec
    from parahost.process.prometheus import PrometheusOptions
    from parahost.process.run_node import NodeOptions, run_node
    from parahost.rpc.access import HOSTED_TOOLS
    from parahost.rpc.server import AllowedMethods, RpcOptions

    if (role is RoleName.COLLATOR) != (parachain is not None):
        raise BadInput("node: --role collator and --parachain SPEC go together")
    options = NodeOptions(
        name=name,
        chain=chain,
        role=Role(role.value),
        base_path=base_path,
        listen=tuple(listen or ("/ip4/127.0.0.1/tcp/0",)),
        bootnodes=tuple(bootnode or ()),
        reserved_peers=tuple(reserved_peer or ()),
        public_addresses=tuple(public_address or ()),
        parachain=load_spec(parachain, para_id) if parachain is not None else None,
        archive=archive,
        log=log,
        collator_ban_s=collator_ban,
        insecure_workers=insecure_workers,
        development_control=development_control,
        rpc=RpcOptions(
            rpc_port,
            rpc_external,
            AllowedMethods(rpc_methods.value),
            HOSTED_TOOLS if rpc_cors is None else tuple(rpc_cors),
        ),
        prometheus=PrometheusOptions(prometheus_port, prometheus_external),
    )
    trio.run(run_node, options)
