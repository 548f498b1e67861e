"""The message graph as ``docs/ARCHITECTURE.md`` shows it, made from the program's declarations.

``python -m tests.docs.message_graph`` puts it into the page anew.
"""

from __future__ import annotations

from pathlib import Path

from parahost.node.subsystems import declared_graph

Edge = tuple[str, str, str]
"""Sender, message, receiver."""

PAGE = Path(__file__).parents[2] / "docs/ARCHITECTURE.md"
BEGIN = "<!-- The message graph: made by `python -m tests.docs.message_graph`. -->\n"
END = "<!-- End of the message graph. -->\n"
SERVICES = ("runtime-api", "chain-api", "network-bridge", "peer-set-manager", "availability-store")
"""What many ask: as arrows they would hide the rest."""


def section(edges: list[Edge]) -> str:
    """A drawing of who hands on what, and a table of what the services are asked."""
    drawn: dict[tuple[str, str], list[str]] = {}
    told: dict[tuple[str, str], list[str]] = {}
    for sender, message, receiver in edges:
        if receiver in SERVICES:
            told.setdefault((receiver, message), []).append(sender)
        else:
            drawn.setdefault((sender, receiver), []).append(message)
    lines = ["```mermaid", "flowchart TD"]
    for (sender, receiver), messages in drawn.items():
        lines.append(f'    {sender} -- "{"<br/>".join(messages)}" --> {receiver}')
    lines += ["```", "", "| service | is told or asked | by |", "| --- | --- | --- |"]
    for (receiver, message), senders in sorted(
        told.items(), key=lambda item: (SERVICES.index(item[0][0]), item[0][1])
    ):
        lines.append(f"| {receiver} | `{message}` | {', '.join(senders)} |")
    return "\n".join(lines) + "\n"


def shown(page: str) -> str:
    """What stands on the page now."""
    return page.split(BEGIN)[1].split(END, maxsplit=1)[0]


def main() -> None:
    before, rest = PAGE.read_text().split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(before + BEGIN + section(declared_graph()) + END + after)


if __name__ == "__main__":
    main()
