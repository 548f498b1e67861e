"""What a terminal shows of a network."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO

import pytest
from rich.console import Console

from parahost.devnet.condition import UntilCondition
from parahost.devnet.observer import Observer
from parahost.devnet.processes import Usage
from parahost.devnet.view import PlainLines, render
from parahost.runtime.balances import UNIT
from tests.devnet.test_observer import START, line, observed


def shown(
    observer: Observer,
    usage: dict[str, Usage],
    size: tuple[int, int] = (100, 30),
    told: Sequence[str] = (),
) -> list[str]:
    width, height = size
    console = Console(width=width, height=height, record=True, file=StringIO())
    console.print(render(observer, usage, 12.0, width=width, height=height, told=told))
    return console.export_text().splitlines()


def network(validators: int, paras: int) -> tuple[Observer, dict[str, Usage]]:
    """All up, with a candidate on each core and long numbers."""
    names = [f"validator-{number}" for number in range(1, validators + 1)]
    names += [f"collator-{2000 + index}" for index in range(paras)]
    observer = Observer({2000 + i: "my-own-parachain" for i in range(paras)}, names, START)
    for name in names:
        observer.hear(name, line(1, "node.started", best=12345, final=12344))
    for number in range(1, 20):
        fields = {"block": f"0x{number:08x}", "parent": f"0x{number - 1:08x}", "best": 1}
        for name in names:
            observer.hear(name, line(number, "chain.imported", number=12345 + number, **fields))
    for index in range(paras):
        fields = {"candidate": f"0x{index:08x}", "para": 2000 + index, "core": index}
        observer.hear(names[0], line(20, "chain.backed", **fields))
    return observer, {name: Usage(1, 123.0, 456.0) for name in names}


def test_nodes_paras_cores_and_stages_are_there() -> None:
    text = "\n".join(shown(observed(), {"a": Usage(pid=7, restarts=2), "b": Usage()}))
    assert "best #2" in text and "final #0" in text
    assert "up ↻2" in text and "down" in text
    assert "100 adder" in text and "0xc1" in text and "included" in text and "#2" in text
    assert "core 0 free" in text


def test_the_default_network_fits_a_small_terminal() -> None:
    observer, usage = network(4, 3)
    lines = shown(observer, usage, (80, 24), ["   1.0 s  validator-2 ended"])
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    assert "…" not in text
    assert "validator-2 ended" in text
    for part in (*observer.nodes, "2002 my-own-parachain", "pending", "#12364 0x00000013"):
        assert part in text


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (200, 60), (80, 12)])
@pytest.mark.parametrize("network_of", [(20, 2), (30, 10), (300, 60)])
def test_any_network_fits_any_terminal(size: tuple[int, int], network_of: tuple[int, int]) -> None:
    observer, usage = network(*network_of)
    lines = shown(observer, usage, size, [f"   1.0 s  line {number}" for number in range(50)])
    assert len(lines) <= max(size[1], 14)
    assert max(map(len, lines)) <= size[0]


def test_of_many_nodes_those_in_trouble_are_named() -> None:
    observer, usage = network(30, 2)
    usage["validator-7"] = Usage()
    usage["validator-9"] = Usage(1, restarts=3)
    text = "\n".join(shown(observer, usage, (80, 24)))
    assert "validator-7 " in text and "down" in text
    assert "validator-9 " in text and "up ↻3" in text
    assert "validator-8 " not in text
    assert "30 others" in text


def test_what_is_known_of_an_earlier_run_is_shown_and_not_counted() -> None:
    earlier, usage = network(4, 2)
    earlier.hear(
        "validator-1",
        line(
            21, "chain.included", candidate="0x00000001", core=1, block="0x00000013", head="0xabc"
        ),
    )
    observer = Observer({2000: "adder", 2001: "adder"}, list(earlier.nodes), START + 100)
    observer.recall(earlier)
    text = "\n".join(shown(observer, usage, (100, 24)))
    for part in ("best #12364", "#12364 0x00000013", "0x00000001", "0xabc", "core 0"):
        assert part in text
    assert not observer.met(UntilCondition.parse("included=1"), START + 200)
    assert observer.paras[2001].blocks == []


def test_plain_lines_tell_each_thing_once() -> None:
    observer, plain = observed(), PlainLines()
    assert plain.news(observer, 5.0) == [
        "     1.0 s  all 2 nodes are up",
        "     4.0 s  para 100 adder: 0xc1 included in relay block #2",
        "     5.0 s  relay chain: best #2, final #0",
    ]
    assert plain.news(observer, 6.0) == []


def test_the_last_refusal_of_each_para_is_shown_where_there_is_room() -> None:
    observer, usage = network(4, 3)
    fields = {"para": 2001, "candidate": "0x00000001"}
    observer.hear("a", line(3, "backing.judged_invalid", reason="it trapped", **fields))
    observer.hear("a", line(4, "collation.not_made", para=2002, reason="long " * 100))
    lines = shown(observer, usage, (80, 24), [f"   1.0 s  line {number}" for number in range(9)])
    assert len(lines) <= 24 and max(map(len, lines)) <= 80
    assert "2001 refused 9 s ago: it trapped" in lines
    assert any(each.startswith("2002 refused 8 s ago: long") for each in lines)
    assert any("line 8" in each for each in lines)


def test_a_peers_words_do_not_move_the_cursor() -> None:
    observer, usage = network(4, 3)
    words = "\x1b[2Jgone\nand more [red]not red"
    observer.hear("a", line(3, "collation.refused", para=2000, reason=words))
    assert "2000 refused 9 s ago:  [2Jgone and more [red]not red" in shown(
        observer, usage, (80, 24)
    )


def test_plain_lines_tell_a_refusal_once() -> None:
    observer, plain = observed(), PlainLines()
    plain.news(observer, 5.0)
    for at, reason in ((6, "it trapped"), (7, "it trapped"), (8, "too large")):
        observer.hear("a", line(at, "backing.judged_invalid", para=100, reason=reason))
        if at != 7:
            assert plain.news(observer, at) == [f"     {at}.0 s  para 100 adder: refused: {reason}"]
        else:
            assert plain.news(observer, at) == []


def test_plain_lines_tell_a_dispute_when_it_moves_and_each_punishment() -> None:
    observer, plain = observed(), PlainLines()
    plain.news(observer, 5.0)
    votes = {"candidate": "0xc1", "valid": "0", "invalid": "1,2,3"}
    observer.hear("a", line(6, "chain.disputed", **votes))
    assert plain.news(observer, 6.0) == ["     6.0 s  0xc1 disputed, open: by 1,2,3 against 0"]
    assert plain.news(observer, 7.0) == []
    observer.hear("a", line(8, "chain.dispute_concluded", **votes, outcome="invalid"))
    deed = {"validator": 0, "misconduct": "backed_invalid", "lost": 100 * UNIT, "left": 0}
    observer.hear("a", line(8, "chain.punished", **deed))
    assert plain.news(observer, 8.0) == [
        "     8.0 s  0xc1 disputed, invalid: by 1,2,3 against 0",
        "     8.0 s  validator 0 has lost 100.00 of its stake, 0.00 are left: backed_invalid",
    ]
    assert plain.news(observer, 9.0) == []
