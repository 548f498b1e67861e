"""``--config``: what the genesis decides, by name, within bounds."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from parahost.devnet.errors import BadPlan
from parahost.devnet.plan import DevnetOptions, check_options, local_chain
from parahost.devnet.settings import SETTINGS, BadSetting, parse_settings
from parahost.parachains import load_specs
from parahost.primitives.basic import H256, U32, ZERO_HASH, BlockNumber
from parahost.primitives.configuration import HostConfiguration
from parahost.runtime.read_only import MODULES
from parahost.runtime.storage import State


def genesis(text: str, epoch_slots: int = 100) -> State:
    options = DevnetOptions(
        2,
        tuple(load_specs(["adder"])),
        (),
        6.0,
        Path(),
        epoch_slots=epoch_slots,
        settings=parse_settings([text]),
    )
    return local_chain(options).genesis_state()


def test_values_get_into_the_genesis() -> None:
    state = genesis(
        "max_pov_size=65536, acceptance_period=20,needed_approvals=1,reward=7,not_voted=0",
        epoch_slots=12,
    )
    host = MODULES.parachains
    assert host.configuration.configuration(state).acceptance_period == 20
    validity = MODULES.validity_parameters.current(state)
    assert validity.approval.needed_approvals == 1
    assert (validity.reward, validity.penalties.not_voted) == (7, 0)
    assert MODULES.babe.epoch_duration.get(state) == 12
    (para,) = load_specs(["adder"])
    data = host.paras.persisted_validation_data(state, para.id, *_relay_parent())
    assert data is not None and data.max_pov_size == 65536


def _relay_parent() -> tuple[BlockNumber, H256]:
    return BlockNumber(U32(0)), ZERO_HASH


def test_what_is_not_set_is_as_without() -> None:
    changed, usual = genesis("acceptance_period=20"), genesis("acceptance_period=50")
    assert {key for key, value in changed.items_raw() if usual.get_raw(key) != value} == {
        MODULES.parachains.configuration.current.prefix
    }


def test_every_field_of_the_host_configuration_may_be_set() -> None:
    assert {field.name for field in fields(HostConfiguration)} < set(SETTINGS)


@pytest.mark.parametrize(
    ("text", "setting", "reason"),
    [
        ("", "", "NAME=NUMBER is expected"),
        ("acceptance_period", "acceptance_period", "NAME=NUMBER is expected"),
        ("acceptance_period=x", "acceptance_period=x", "NAME=NUMBER is expected"),
        ("acceptance_period=-1", "acceptance_period=-1", "NAME=NUMBER is expected"),
        ("acceptance_period=²", "acceptance_period=²", "NAME=NUMBER is expected"),
        ("reward=" + "0" * 21, "reward=" + "0" * 21, "NAME=NUMBER is expected"),
        ("reward=1,", "", "NAME=NUMBER is expected"),
        ("pov=5", "pov=5", "there is no pov; there are validation_upgrade_frequency, "),
        ("reward=1,reward=1", "reward=1", "reward is set already"),
        ("max_pov_size=0", "max_pov_size=0", "max_pov_size is 0, not 1 to 10485760: "),
        (
            "max_pov_size=10485761",
            "max_pov_size=10485761",
            "max_pov_size is 10485761, not 1 to 10485760: ",
        ),
        ("reward=1000000001", "reward=1000000001", "reward is 1000000001, not 0 to 1000000000"),
        ("acceptance_period=0", "acceptance_period=0", "acceptance_period is 0, not 1 to 14400"),
    ],
)
def test_what_cannot_be_set_is_told(text: str, setting: str, reason: str) -> None:
    with pytest.raises(BadSetting) as raised:
        parse_settings([text])
    assert raised.value.setting == setting
    assert raised.value.reason.startswith(reason)


def test_values_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(BadPlan, match="validation_upgrade_delay is 3, not longer than an avail"):
        genesis("validation_upgrade_delay=3")


@pytest.mark.parametrize("slots", [0, -1, 100_001])
def test_an_epoch_that_cannot_be_is_refused(slots: int) -> None:
    with pytest.raises(BadPlan, match=f"--epoch {slots}: an epoch has 1 to 100000 slots"):
        check_options(DevnetOptions(1, (), (), 6.0, Path(), epoch_slots=slots))


def test_an_epoch_in_which_no_candidate_can_be_included_is_refused() -> None:
    adder = tuple(load_specs(["adder"]))
    with pytest.raises(BadPlan, match="--epoch 1: a candidate that is pending ends with its sess"):
        check_options(DevnetOptions(1, adder, (), 6.0, Path(), epoch_slots=1))
    check_options(DevnetOptions(1, adder, (), 6.0, Path(), epoch_slots=2))
    check_options(DevnetOptions(1, (), (), 6.0, Path(), epoch_slots=1))
