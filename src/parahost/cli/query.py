"""``parahost query`` and ``parahost events``: what a running chain holds, and what happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from parahost.cli.chain_options import DEFAULT_URL, OfFinalized, Url, show, split_name, typed

if TYPE_CHECKING:
    from parahost.client import ChainClient

At = Annotated[str | None, typer.Option(help="Of the block with this number or hash.")]


def query(
    name: Annotated[str, typer.Argument(metavar="PALLET.ITEM", help="What to read.")],
    keys: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEYS...", help="The keys of a map; without them all that it has."),
    ] = None,
    at: At = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Print what a running chain has stored, as JSON: a value, or a map's entries a line each."""
    from parahost.client import ChainClient

    chain = ChainClient(url)
    pallet, item = split_name(name)
    given = [typed(each) for each in keys or ()]
    found = chain.query(pallet, item, given, at)
    if chain.is_listing(pallet, item, len(given)):
        for entry in found:
            show(entry)
    else:
        show(found)


def events(
    at: At = None,
    follow: Annotated[bool, typer.Option("--follow", help="Of each block as it comes.")] = False,
    finalized: OfFinalized = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Print the events of a block, the best one unless told otherwise, a line of JSON each.

    With --follow, those of each block of the best chain once. When that goes over to a fork, a line
    retracts each block that it leaves.
    """
    from parahost.client import ChainClient

    chain = ChainClient(url)
    if not follow:
        block = chain.rpc.ask("chain_getFinalizedHead") if finalized and at is None else at
        hash_ = chain.block_hash(block)
        _tell(chain, chain.number(hash_), hash_)
        return
    for news in chain.follow(finalized=finalized):
        if news.retracted:
            show({"block": news.number, "retracted": news.hash})
        else:
            _tell(chain, news.number, news.hash)


def _tell(chain: ChainClient, number: int, hash_: str) -> None:
    for each in chain.events(hash_):
        place = {} if each.extrinsic is None else {"extrinsic": each.extrinsic}
        show({"block": number, **place, "event": each.name, "fields": each.fields})
