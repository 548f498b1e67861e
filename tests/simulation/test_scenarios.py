"""Scenarios are read strictly, and those that are shipped hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from parahost.simulation import (
    BadLinks,
    BadScenario,
    BadSimulation,
    CensoringAuthor,
    Geography,
    Included,
    LinkQuality,
    Partition,
    Reported,
    Scenario,
    Shape,
    Simulation,
    Uniform,
    at,
    at_block,
)
from parahost.simulation.network import LongTail
from parahost.simulation.scenario_files import load_scenario, ready_scenarios
from parahost.simulation.scenario_toml import parse_scenario
from tests.simulation.shipped import run_of

WHOLE = """\
about = "everything that TOML can say"
validators = 8
parachains = 2
parathreads = 1
slot_s = 2.5
epoch_slots = 30
blocks = 12
geography = ["europe", "asia"]
without = ["heads_move"]

[configuration]
chain_availability_period = 6

[links]
bytes_per_s = 1000000
loss = 0.25

[[fault]]
kind = "partition"
who = ["validator-1", "validator-2"]
at = 30
lasts_s = 60.5
one_way = true

[[fault]]
kind = "bad_links"
who = ["collator-2000"]
at_block = 3
latency = [0.5, 1]
lasts_s = 5

[[adversary]]
kind = "censoring_author"
who = ["validator-3"]
paras = [2001]

[[expect]]
kind = "included"
at_least = 3
para = 2000

[[expect]]
kind = "reported"
misbehaviour = "DoubleVote"
"""


def test_everything_that_toml_can_say() -> None:
    assert parse_scenario(WHOLE, "whole.toml") == Scenario(
        about="everything that TOML can say",
        shape=Shape(8, 2, 1, 2.5, 30, {"chain_availability_period": 6}),
        blocks=12,
        links=LinkQuality(bytes_per_s=1e6, loss=0.25),
        geography=Geography(("europe", "asia")),
        faults=(
            Partition(who=("validator-1", "validator-2"), at=at(30.0), lasts_s=60.5, one_way=True),
            BadLinks(who=("collator-2000",), at=at_block(3), latency=(0.5, 1.0), lasts_s=5.0),
        ),
        adversaries=(CensoringAuthor(who=("validator-3",), paras=(2001,)),),
        expects=(Included(at_least=3, para=2000), Reported(misbehaviour="DoubleVote")),
        without=("heads_move",),
    )


def test_nothing_said_is_the_plain_network() -> None:
    assert parse_scenario("", "empty.toml") == Scenario()
    assert parse_scenario("[links]\nlatency = [0.02, 0.08]", "x").links.latency == Uniform(
        0.02, 0.08
    )
    assert parse_scenario("[links]\nmedian_latency = 1", "x").links.latency == LongTail(1.0)


CRASH = '[[fault]]\nkind = "crash"\nat = 3\n'
TWO = 'who = ["validator-1", "validator-2"]\n'
EMPTY = '[[adversary]]\nkind = "empty_author"\n'


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a = [", 1, "not TOML"),
        ('validators = "four"', 1, "validators: a whole number is expected, not 'four'"),
        ("validators = true", 1, "validators: a whole number is expected, not True"),
        ("slot_s = '6'", 1, "slot_s: a number is expected"),
        ("slot_s = nan", 1, "slot_s: a number is expected, not nan"),
        ("parathreads = 1001", 1, "1001 parathreads: at most 1000 can be"),
        ("epoch_slots = 1000000000", 1, "an epoch of 1000000000 slots: 1 to 1000000 can be"),
        ("[configuration]\nmax_code_size = 4294967296", 1, "max_code_size: 0 to 4294967295"),
        ("[[fault]]\nkind = ['crash']", 2, "kind ['crash'] is none of"),
        (CRASH.replace("3", "inf") + 'who = ["validator-1"]', 3, "at: a number is expected"),
        ("\nvalidators = 0", 2, "0 validators"),
        ("parachains = 9", 1, "4 validators cannot serve 9 cores"),
        ("parachains = -1", 1, "-1 parachains cannot be"),
        ("slot_s = 0.0", 1, "a slot of 0 s"),
        ("blocks = 0", 1, "0 blocks are none"),
        ("block = 3", 1, "block: unknown; known are about, adversary, blocks"),
        ("[configuration]\nparathread_cores = 9", 1, "4 validators cannot serve 11 cores"),
        ("[configuration]\nspeed = 3", 1, "the host's configuration has no field speed"),
        ('[configuration]\nmax_code_size = "big"', 2, "max_code_size: a whole number"),
        ('geography = ["mars"]', 1, "there is no region mars; known are europe"),
        ('geography = "europe"', 1, "geography: a list is expected"),
        ('without = ["magic"]', 1, "there is no checker magic; there are no_conflicting"),
        ("[links]\nlatency = [1]", 2, "latency: 2 values are expected"),
        ("[links]\nlatency = [2, 1]", 2, "latency is from the least to the most"),
        ("[links]\nmedian_latency = -1", 2, "a median latency is in seconds from 0 on"),
        ("[links]\nlatency = [1, 2]\nmedian_latency = 1", 3, "`latency` is given too"),
        ("geography = ['asia']\n[links]\nlatency = [1, 2]", 3, "`geography` gives it too"),
        ("[links]\nloss = 2", 1, "loss is a part of all messages"),
        ("[links]\ncolour = 2", 2, "colour: unknown; known are bytes_per_s"),
        ("links = 3", 1, "links: a table is expected"),
        ("fault = 3", 1, "fault: write [[fault]] above each"),
        ('\n\n[[fault]]\nkind = "earthquake"', 4, "kind 'earthquake' is none of bad_links"),
        ("[[fault]]\nwho = []", 1, "kind None is none of"),
        (CRASH, 1, "`who` is lacking"),
        ('[[fault]]\nkind = "crash"\nwho = ["validator-1"]', 1, "`at` is lacking"),
        (CRASH + 'who = "validator-1"', 4, "who: a list is expected"),
        (CRASH + "who = []", 1, "crash: nobody is named"),
        (CRASH + 'who = ["validator-9"]', 1, "crash: there is no node validator-9"),
        (CRASH + 'who = ["validator-1"]\nlooses = 3', 5, "looses: unknown; known are at, lasts_s"),
        (CRASH + 'who = ["validator-1"]\nlose = -3', 1, "crash: loses -3 writes"),
        (CRASH + 'who = ["validator-1"]\nlasts_s = -3', 1, "lasts -3 s"),
        (CRASH + 'who = ["validator-1"]\nat_block = 3', 5, "at_block: `at` is given too"),
        (CRASH.replace("3", "-3") + 'who = ["validator-1"]', 3, "before the beginning"),
        (
            '[[adversary]]\nkind = "empty_author"\nwho = ["collator-2000"]',
            1,
            "empty_author: collator-2000 is no validator",
        ),
        (
            '[[adversary]]\nkind = "empty_author"\nwho = ["validator-1", "validator-2"]',
            1,
            "2 of 4 validators are adversaries, 1 may be",
        ),
        (CRASH + 'who = ["validator-1", "validator-1"]', 1, "validator-1 is named twice"),
        (
            "blocks = 3\n" + CRASH.replace("at", "at_block").replace("3", "4") + TWO,
            2,
            "crash: at block 4, the last one is block 3",
        ),
        ("blocks = 3\n" + CRASH.replace("3", "192") + TWO, 2, "3 blocks are given 192 s"),
        (
            CRASH + TWO + CRASH.replace("crash", "partition") + 'who = ["validator-9"]',
            5,
            "partition: there is no node validator-9",
        ),
        (
            "validators = 2\nparachains = 0\n"
            + CRASH.replace("crash", "partition")
            + TWO
            + "lasts_s = 9",
            3,
            "partition: nobody is on the other side",
        ),
        (
            CRASH.replace("crash", "bad_links") + TWO + "lasts_s = 9\nbytes_per_s = 0",
            1,
            "bytes_per_s is above 0",
        ),
        (CRASH.replace("crash", "bad_links") + TWO + "lasts_s = 9", 1, "nothing gets worse"),
        (CRASH.replace("crash", "wrong_clock") + TWO + "seconds = 0", 1, "jumps by nothing"),
        (CRASH.replace("crash", "stall") + TWO, 1, "stall: is over at once; say how long"),
        (CRASH.replace("crash", "bad_workers") + TWO + "late_s = -1", 1, "late_s is not below 0"),
        (CRASH.replace("crash", "damaged_rows") + TWO + "count = 0", 1, "count is at least 1"),
        (
            CRASH.replace("crash", "damaged_rows") + TWO + 'table = "chunks"',
            1,
            "there is no table chunks: availability.blocks, ",
        ),
        (EMPTY + 'who = ["validator-1", "validator-1"]', 1, "validator-1 is named twice"),
        (
            EMPTY.replace("empty", "censoring") + 'who = ["validator-1"]\nparas = [2009]',
            1,
            "censoring_author: there is no para 2009",
        ),
        (
            '[[adversary]]\nkind = "slow_collator"\nwho = ["collator-2000"]\nlate_s = -2',
            1,
            "late_s is not below 0",
        ),
        (
            '[[adversary]]\nkind = "spams_advertisements"\nwho = ["collator-2000"]\ncopies = 0',
            1,
            "copies is at least 1",
        ),
        (
            '[[expect]]\nkind = "included"\nat_least = 1\npara = 2009',
            1,
            "included: there is no para 2009",
        ),
        ('[[expect]]\nkind = "included"\nat_least = -1', 1, "-1 blocks are less than none"),
        ('[[expect]]\nkind = "finalized"\nat_least = -1', 1, "before the first"),
        (
            '[[expect]]\nkind = "reported"\nmisbehaviour = "DoubleVoet"',
            1,
            "there is no DoubleVoet; there are CandidateValidityDisagreement, ",
        ),
        (
            '[[expect]]\nkind = "luck"',
            2,
            "kind 'luck' is none of accepted, disputed, finalized",
        ),
        ('[[expect]]\nkind = "included"', 1, "`at_least` is lacking"),
    ],
)
def test_bad_toml_is_told_with_its_line(text: str, line: int, says: str) -> None:
    with pytest.raises(BadScenario) as caught:
        parse_scenario(text, "bad.toml")
    assert str(caught.value).startswith(f"bad.toml:{line}: ")
    assert says in caught.value.reason


@pytest.mark.parametrize(
    ("text", "where", "says"),
    [
        ("SCENARIO = Scenario(", ":2", "'(' was never closed"),
        ("x = 3\nSCENARIO = Scenaro()", ":3", "name 'Scenaro' is not defined"),
        ("\nSCENARIO = Scenario(blocks=0)", ":3", "0 blocks are none"),
        ("SCENARIO = Scenario(block=3)", ":2", "unexpected keyword argument 'block'"),
        (
            "SCENARIO = Scenario(faults=(Crash(who=('x',), at=at(3.0)),))",
            ":2",
            "crash: there is no node x",
        ),
        ("import nothing_of_the_kind", ":2", "No module named"),
        ("\nx = 1 / 0", ":3", "ZeroDivisionError: division by zero"),
        ("x = {}['a']", ":2", "KeyError: 'a'"),
        ("raise SystemExit(0)", ":2", "SystemExit: 0"),
        ("x = 3\0", "", "null bytes"),
        ("SCENARIO = Scenario(blocks='3')", ":2", "blocks: a whole number is expected, not '3'"),
        ("SCENARIO = Scenario(blocks=2.5)", ":2", "blocks: a whole number is expected, not 2.5"),
        ("SCENARIO = Scenario(shape=None)", ":2", "shape: Shape is expected, not None"),
        ("SCENARIO = Scenario(shape=Shape(validators=4.0))", ":2", "validators: a whole number"),
        ("SCENARIO = Scenario(shape=Shape(slot_s=float('nan')))", ":2", "slot_s: a number is"),
        (
            "SCENARIO = Scenario(faults=(Crash(who='validator-1', at=at(3.0)),))",
            ":2",
            "who: a tuple is expected, not 'validator-1'",
        ),
        (
            "SCENARIO = Scenario(faults=(Crash(who=('validator-1',), at=3.0),))",
            ":2",
            "at: Moment is expected, not 3.0",
        ),
        ("SCENARIO = Scenario(faults=[])", ":2", "faults: a tuple is expected, not []"),
        ("SCENARIO = Scenario(expects=('included',))", ":2", "Expectation is expected"),
        ("SCENARIO = Scenario(adversaries=(EmptyAuthor,))", ":2", "Adversary is expected"),
        ("x = 3", "", "no `SCENARIO = Scenario(...)` in it"),
    ],
)
def test_bad_python_is_told_with_its_line(tmp_path: Path, text: str, where: str, says: str) -> None:
    file = tmp_path / "bad.py"
    file.write_text("from parahost.simulation import *\n" + text)
    with pytest.raises(BadScenario) as caught:
        load_scenario(str(file))
    assert caught.value.where == f"{file}{where}"
    assert says in caught.value.reason


def test_files_that_are_not_there() -> None:
    with pytest.raises(BadScenario, match=r"no shipped scenario .*crashes"):
        load_scenario("crushes")
    with pytest.raises(BadScenario, match=r"nowhere\.toml: cannot be read"):
        load_scenario("nowhere.toml")


def test_a_scenario_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from parahost.simulation import *\nSCENARIO = Scenario(blocks=3, shape=Shape(5, 1))\n"
    )
    assert load_scenario(str(file)) == Scenario(blocks=3, shape=Shape(5, 1))


def test_more_adversaries_than_may_be_need_an_excuse() -> None:
    bad = (CensoringAuthor(who=("validator-1", "validator-2")),)
    with pytest.raises(BadSimulation, match="say in `without`"):
        Scenario(adversaries=bad)
    Scenario(adversaries=bad, without=("heads_move",))


def test_an_expectation_that_fails_breaks_the_run() -> None:
    scenario = Scenario(
        shape=Shape(validators=4, parachains=1),
        blocks=2,
        expects=(Included(at_least=50), Reported(misbehaviour="DoubleVote")),
    )
    outcome = Simulation(scenario, 1).run()
    assert not outcome.ok
    assert outcome.verdicts["expects included(at_least=50, para=None)"] == (
        f"para 2000 has {outcome.statistics['included']['2000']} blocks, 50 were expected"
    )
    assert "no DoubleVote was reported" in outcome.verdicts.values()


@pytest.mark.parametrize("name", sorted(ready_scenarios()))
def test_the_shipped_scenarios_hold(name: str) -> None:
    outcome, _ = run_of(name)
    assert outcome.ok, outcome.verdicts
