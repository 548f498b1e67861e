"""What a terminal shows of a network."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from parahost.devnet.observer import Observer
from parahost.devnet.processes import Usage
from parahost.devnet.view import PlainLines, render
from tests.devnet.test_observer import START, line, observed


def shown(observer: Observer, usage: dict[str, Usage]) -> list[str]:
    console = Console(width=100, height=30, record=True, file=StringIO())
    console.print(render(observer, usage, 12.0))
    return console.export_text().splitlines()


def test_nodes_paras_cores_and_stages_are_there() -> None:
    text = "\n".join(shown(observed(), {"a": Usage(pid=7, restarts=2), "b": Usage()}))
    assert "best #2" in text and "final #0" in text
    assert "up ↻2" in text and "down" in text
    assert "100 adder" in text and "0xc1" in text and "included" in text and "#2" in text
    assert "core 0 free" in text


def test_many_validators_fit_a_terminal() -> None:
    names = [f"validator-{number}" for number in range(1, 21)] + ["collator-2000", "collator-2001"]
    observer = Observer({2000: "adder", 2001: "ledger"}, names, START)
    for name in names:
        observer.hear(name, line(1, "node.started", best=12345, final=12344))
    usage = {name: Usage(1, 123.0, 456.0, restarts=index % 3) for index, name in enumerate(names)}
    lines = shown(observer, usage)
    assert len(lines) <= 30
    assert all(name in "\n".join(lines) for name in names)
    assert not any(text.rstrip().endswith("…") for text in lines)


def test_plain_lines_tell_each_thing_once() -> None:
    observer, plain = observed(), PlainLines()
    assert plain.news(observer, 5.0) == [
        "     1.0 s  all 2 nodes are up",
        "     4.0 s  para 100 adder: 0xc1 included in relay block #2",
        "     5.0 s  relay chain: best #2, final #0",
    ]
    assert plain.news(observer, 6.0) == []
