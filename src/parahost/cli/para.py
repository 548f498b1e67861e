"""``parahost para``: the paras of a running chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from parahost.cli.call import make
from parahost.cli.chain_options import (
    DEFAULT_URL,
    DryRun,
    KeyFile,
    OfFinalized,
    SignerUri,
    Url,
    chosen_signer,
    show,
)
from parahost.cli.failure import BadInput

if TYPE_CHECKING:
    from parahost.client import ChainClient
    from parahost.parachains import ParachainSpec

app = typer.Typer(help="Register, upgrade and list a running chain's paras.", no_args_is_help=True)

Spec = Annotated[str, typer.Argument(help="An example's name or a TOML file.")]
Number = Annotated[
    int | None, typer.Option("--id", help="The para's number, where its spec names none.")
]
ParaNumber = Annotated[int, typer.Argument(metavar="ID", help="The para's number.")]


@app.command()
def register(
    spec: Spec,
    parathread: Annotated[
        bool, typer.Option("--parathread", help="Blocks by claims, not on a core of its own.")
    ] = False,
    id_: Number = None,
    url: Url = DEFAULT_URL,
    signer: SignerUri = None,
    key_file: KeyFile = None,
    dry_run: DryRun = False,
    finalized: OfFinalized = False,
) -> None:
    """Let a para come with the next session. It takes the root key."""
    para = _spec(spec, id_)
    arguments = [int(para.id), bytes(para.genesis_head), bytes(para.code), not parathread]
    _govern(url, "register", arguments, signer, key_file, dry_run, finalized)


@app.command()
def deregister(
    para: ParaNumber,
    url: Url = DEFAULT_URL,
    signer: SignerUri = None,
    key_file: KeyFile = None,
    dry_run: DryRun = False,
    finalized: OfFinalized = False,
) -> None:
    """Let a para go with the next session. It takes the root key."""
    _govern(url, "deregister", [para], signer, key_file, dry_run, finalized)


@app.command()
def upgrade(
    spec: Spec,
    id_: Number = None,
    url: Url = DEFAULT_URL,
    signer: SignerUri = None,
    key_file: KeyFile = None,
    dry_run: DryRun = False,
    finalized: OfFinalized = False,
) -> None:
    """Give a running para the code that its spec has now. It takes the root key."""
    para = _spec(spec, id_)
    arguments = [int(para.id), bytes(para.code)]
    _govern(url, "schedule_code_upgrade", arguments, signer, key_file, dry_run, finalized)


@app.command()
def claim(
    para: ParaNumber,
    url: Url = DEFAULT_URL,
    signer: SignerUri = None,
    key_file: KeyFile = None,
    dry_run: DryRun = False,
    finalized: OfFinalized = False,
) -> None:
    """Claim the next block of a parathread for the signer's key, which is its collator's."""
    from parahost.client import ChainClient

    chain = ChainClient(url)
    call = chain.codec.encode_call("Parathreads", "claim", [para])
    who = chosen_signer(signer, key_file, "sr25519")
    make(chain, call, who, dry_run=dry_run, finalized=finalized)


@app.command("list")
def list_(url: Url = DEFAULT_URL) -> None:
    """Print the paras that are there, come or go, a line of JSON each."""
    from parahost.client import ChainClient

    for para in paras(ChainClient(url)):
        show(para)


def paras(chain: ChainClient) -> list[dict[str, Any]]:
    """What a chain's best block says of each para, ascending by number."""
    at = chain.block_hash(None)
    parachains = set(chain.query("Paras", "Parachains", [], at) or ())
    going = set(chain.query("Paras", "OutgoingParas", [], at) or ())
    upgrades = dict(_by_para(chain, "FutureCodeUpgrades", at))
    found = {
        para: {
            "para": para,
            "kind": "parachain" if para in parachains else "parathread",
            "state": "goes with the next session" if para in going else "is there",
            "head": head,
            **({"upgrade_at": upgrades[para]} if para in upgrades else {}),
        }
        for para, head in _by_para(chain, "Heads", at)
    }
    for para, genesis in _by_para(chain, "UpcomingParasGenesis", at):
        found.setdefault(
            para,
            {
                "para": para,
                "kind": "parachain" if genesis["parachain"] else "parathread",
                "state": "comes with the next session",
                "head": genesis["genesis_head"],
            },
        )
    return [found[para] for para in sorted(found)]


def _by_para(chain: ChainClient, item: str, at: str) -> list[tuple[int, Any]]:
    return [(each["keys"][0], each["value"]) for each in chain.query("Paras", item, [], at)]


def _spec(text: str, para_id: int | None) -> ParachainSpec:
    from parahost.parachains import load_spec, load_specs

    return load_specs([text])[0] if para_id is None else load_spec(text, para_id)


def _govern(
    url: str,
    call: str,
    arguments: list[Any],
    signer: str | None,
    key_file: Any,
    dry_run: bool,
    finalized: bool,
) -> None:
    from parahost.client import ChainClient

    chain = ChainClient(url)
    made = chain.codec.encode_call("Registrar", call, arguments)
    who = chosen_signer(signer, key_file, "sr25519")
    root = chain.query("Sudo", "Key", [])
    if root != chain.codec.address(who.account):
        raise BadInput(f"the root key is {root}, {chain.codec.address(who.account)} would sign")
    make(chain, made, who, sudo=True, dry_run=dry_run, finalized=finalized)
