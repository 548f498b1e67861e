"""The parts of ``docs/RPC.md`` that are made from the code: the methods and the limits.

``python -m tests.docs.rpc`` writes them anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from parahost.primitives.limits import KIB, MIB
from parahost.rpc import limits
from parahost.rpc.methods import all_methods
from parahost.rpc.params import Parameter
from parahost.rpc.table import Method

PAGE = Path(__file__).parents[2] / "docs/RPC.md"

LIMITS = {
    "connections": str(limits.MAX_CONNECTIONS),
    "seconds for a request's head": f"{limits.HEAD_S:g}",
    "seconds for its body": f"{limits.BODY_S:g}",
    "seconds for reading a message, and one more for each 256 KiB": f"{limits.SEND_S:g}",
    "seconds of silence before a WebSocket is pinged": f"{limits.PING_S:g}",
    "size of a request": f"{limits.MAX_REQUEST_BYTES / MIB:.1f} MiB",
    "JSON values in a request": str(limits.MAX_VALUES),
    "requests in a batch": str(limits.MAX_BATCHED_CALLS),
    "calls a second of a connection, and at once": str(limits.CALLS_PER_S),
    "size of an answer": f"{limits.MAX_ANSWER_BYTES / MIB:.1f} MiB",
    "large requests that come in, together": f"{limits.REQUEST_BYTES_TOGETHER // MIB} MiB",
    "large answers that wait, together": f"{limits.ANSWER_BYTES_TOGETHER // MIB} MiB",
    "a message is large from": f"{limits.SMALL_MESSAGE_BYTES // KIB} KiB",
    "subscriptions of a connection": str(limits.MAX_SUBSCRIPTIONS_OF_CONNECTION),
    "subscriptions together": str(limits.MAX_SUBSCRIPTIONS),
    "`chainHead_v1_follow` of a connection": str(limits.MAX_FOLLOWS_OF_CONNECTION),
    "final blocks, and blocks of forks that finality has left, that one follow has pinned": str(
        limits.MAX_PINNED
    ),
    "operations of one follow at a time": str(limits.MAX_OPERATIONS),
    "broadcasts of a connection at a time": str(limits.MAX_BROADCASTS),
    "events that wait for a subscription": str(limits.MAX_UNTOLD_EVENTS),
    "last blocks that are not final, at hand also when finality has left their fork": str(
        limits.KEPT_BLOCKS
    ),
    "extrinsics of these together": f"{limits.KEPT_BYTES // MIB} MiB",
    "storage keys in a request, or on a page": str(limits.MAX_KEYS),
    "blocks of one `state_queryStorage`": str(limits.MAX_QUERIED_BLOCKS),
}


def limits_table() -> str:
    return "".join(f"| {name} | {number} |\n" for name, number in LIMITS.items())


def methods_table() -> str:
    """Each method with what it takes and does."""
    return "".join(_lines(method) for method in all_methods().methods)


def _lines(method: Method) -> str:
    parameters = ", ".join(map(_parameter, method.parameters.each))
    notes = "; ".join(_notes(method))
    told = " ".join(method.documentation.split()).replace("``", "`")
    return f"- `{method.name}({parameters})`{notes and f' ({notes})'}: {told}\n"


def _parameter(one: Parameter) -> str:
    return f"{one.name}{'?' if one.optional else ''}: {one.shape.name}"


def _notes(method: Method) -> Iterator[str]:
    if method.unsafe:
        yield "unsafe"
    if method.aliases:
        yield f"also {', '.join(f'`{name}`' for name in method.aliases)}"
    if method.notifies:
        ends = ", ".join(f"`{name}`" for name in method.ends)
        yield f"tells `{method.notifies}` until {ends}"


def written(page: str) -> str:
    """The page with these parts as they should be."""
    for name, part in (("limits", limits_table()), ("methods", methods_table())):
        begin, end = f"<!-- {name} begin -->\n", f"<!-- {name} end -->"
        before, rest = page.split(begin)
        page = before + begin + part + end + rest.split(end)[1]
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
