"""The configuration changes between sessions only, by governance only."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parahost.primitives.basic import U32
from parahost.primitives.configuration import (
    BOUNDS,
    DelayTooShort,
    HostConfiguration,
    OutOfBounds,
    TooManyClaims,
    breach,
)
from parahost.primitives.scale import decode, encode
from parahost.runtime.errors import BadOrigin
from parahost.runtime.origin import NoOrigin, Root
from parahost.runtime.parachains.configuration import (
    DEFAULT_CONFIGURATION,
    BadConfiguration,
    ConfigurationCall,
    SetMaxCodeSize,
    SetParathreadCores,
)
from parahost.runtime.storage import Overlay

from .world import World

CALLS = get_args(ConfigurationCall)


def dispatch(world: World, call: ConfigurationCall) -> None:
    world.add_block(extrinsics=lambda store: world.host.configuration.dispatch(store, Root(), call))


@pytest.mark.guide("A6", "A7", "A8")
def test_updates_stack_and_apply_at_the_session_change() -> None:
    world = World(parachains=[1])
    configuration = world.host.configuration
    dispatch(world, SetMaxCodeSize(U32(1000)))
    dispatch(world, SetParathreadCores(U32(2)))
    assert configuration.configuration(world.state) == world.config
    expected = replace(world.config, max_code_size=U32(1000), parathread_cores=U32(2))
    assert configuration.pending.get(world.state) == expected

    world.add_block(new_session=6)
    assert configuration.configuration(world.state) == expected
    assert configuration.pending.get(world.state) is None


@pytest.mark.guide("A7")
def test_a_session_change_without_updates_changes_nothing() -> None:
    world = World(parachains=[1])
    world.add_block(new_session=6)
    assert world.host.configuration.configuration(world.state) == world.config


@pytest.mark.guide("A8")
def test_update_configuration_starts_from_the_pending_one() -> None:
    world = World()
    store = Overlay(world.state)
    for _ in range(3):
        world.host.configuration.update_configuration(
            store, lambda config: replace(config, max_code_size=U32(config.max_code_size - 1))
        )
    pending = world.host.configuration.pending.get(store)
    assert pending is not None
    assert pending.max_code_size == world.config.max_code_size - 3


@pytest.mark.guide("A9")
@pytest.mark.parametrize("place", range(11))
def test_each_field_has_its_entry_point(place: int) -> None:
    """The calls are numbered as the fields are ordered."""
    assert len(CALLS) == len(fields(HostConfiguration)) == 11
    call: Any = CALLS[place](7)
    encoded = encode(call, ConfigurationCall)
    assert encoded == bytes([51, place, 7, 0, 0, 0])
    assert decode(ConfigurationCall, encoded) == call

    world = World()
    store = Overlay(world.state)
    world.host.configuration.dispatch(store, Root(), call)
    name = fields(HostConfiguration)[place].name
    assert world.host.configuration.pending.get(store) == replace(world.config, **u32(**{name: 7}))


@pytest.mark.guide("A9")
@pytest.mark.parametrize("call_type", CALLS)
def test_only_governance_may(call_type: Any) -> None:
    world = World()
    store = Overlay(world.state)
    with pytest.raises(BadOrigin):
        world.host.configuration.dispatch(store, NoOrigin(), call_type(7))
    assert store.changes() == {}


GREATEST = 2**32 - 1
AT_THE_BOUNDS = {
    "validation_upgrade_frequency": (1, 1_440_000),
    "validation_upgrade_delay": (2, 1_440_000),
    "acceptance_period": (1, 14_400),
    "max_code_size": (1, 5 * 1024 * 1024),
    "max_head_data_size": (1, 1024 * 1024),
    "parathread_cores": (0, 100),
    "parathread_retries": (0, 100),
    "parachain_rotation_frequency": (0, 1000),
    "chain_availability_period": (1, 100),
    "thread_availability_period": (1, 100),
    "scheduling_lookahead": (1, 1000),
}
FREE: dict[str, Any] = {  # lets each value be at its bounds whatever the others are
    "validation_upgrade_delay": 1000,
    "chain_availability_period": 1,
    "thread_availability_period": 1,
    "parathread_cores": 1,
    "scheduling_lookahead": 1,
}


@pytest.mark.guide("A9")
@pytest.mark.parametrize("field", AT_THE_BOUNDS)
def test_a_value_may_be_at_its_bounds_and_not_beyond(field: str) -> None:
    world = World(**FREE)
    store = Overlay(world.state)
    call: Any = CALLS[list(AT_THE_BOUNDS).index(field)]
    configuration = world.host.configuration
    least, greatest = AT_THE_BOUNDS[field]
    for value in (least, greatest):
        configuration.dispatch(store, Root(), call(value))
        assert getattr(configuration.next_configuration(store), field) == value
    for value in {least - 1, greatest + 1, GREATEST} - {-1}:
        with pytest.raises(BadConfiguration) as caught:
            configuration.dispatch(store, Root(), call(value))
        assert caught.value.reason == OutOfBounds(field, value, BOUNDS[field])
        assert getattr(configuration.next_configuration(store), field) == greatest
        with pytest.raises(BadConfiguration):
            World(**(FREE | {field: value}))


def test_the_bounds_above_are_all_and_the_documented_ones() -> None:
    assert {name: (b.least, b.greatest) for name, b in BOUNDS.items()} == AT_THE_BOUNDS


@pytest.mark.guide("A9")
def test_values_are_bounded_together() -> None:
    """Each is well within its own bounds."""
    assert breach(replace(DEFAULT_CONFIGURATION, **u32(parathread_cores=50))) is None
    many = u32(parathread_cores=50, scheduling_lookahead=20)
    assert breach(replace(DEFAULT_CONFIGURATION, **many)) is None
    more = u32(parathread_cores=50, scheduling_lookahead=21)
    assert breach(replace(DEFAULT_CONFIGURATION, **more)) == TooManyClaims(50, 21)

    for field in ("chain_availability_period", "thread_availability_period"):
        at_once = {field: U32(6), **u32(validation_upgrade_delay=6)}
        assert breach(replace(DEFAULT_CONFIGURATION, **at_once)) == DelayTooShort(6, 6)
        later = {field: U32(6), **u32(validation_upgrade_delay=7)}
        assert breach(replace(DEFAULT_CONFIGURATION, **later)) is None


def u32(**values: int) -> dict[str, Any]:
    return {name: U32(value) for name, value in values.items()}


@pytest.mark.guide("A7", "A8")
@given(
    st.lists(
        st.tuples(st.sampled_from(CALLS), st.integers(10, 30)) | st.just(None),
        max_size=12,
    )
)
def test_the_configuration_is_constant_within_a_session(
    steps: list[tuple[Any, int] | None],
) -> None:
    """``None`` ends a session: then, and only then, what was set counts."""
    world = World(validation_upgrade_delay=1000)
    store = Overlay(world.state)
    current = upcoming = world.config
    for step in steps:
        if step is None:
            world.host.on_session_change(
                store,
                world.host.initializer.notification(
                    store,
                    session_index=world.api.session_index_for_child(world.state),
                    validators=(),
                    queued=(),
                    random_seed=world.parent,
                ),
            )
            current = upcoming
        else:
            call, value = step
            name = fields(HostConfiguration)[CALLS.index(call)].name
            value += 50 * (name == "validation_upgrade_delay")
            world.host.configuration.dispatch(store, Root(), call(value))
            upcoming = replace(upcoming, **u32(**{name: value}))
        assert world.host.configuration.configuration(store) == current
        assert world.host.configuration.next_configuration(store) == upcoming


@pytest.mark.guide("A6")
def test_parachains_can_read_it_under_polkadots_key() -> None:
    """``ActiveConfig``, in the encoding that a parachain's runtime decodes (D29)."""
    world = World(max_code_size=3, max_head_data_size=4)
    key = bytes.fromhex("06de3d8a54d27e44a9d5ce189618f22db4b49d95320d9021994c850f25b8e385")
    raw = world.state.get_raw(key)
    assert raw is not None
    words = [int.from_bytes(raw[i : i + 4], "little") for i in range(0, len(raw), 4)]
    config = world.config
    assert words == [
        3,
        4,
        *[0] * 5,
        config.validation_upgrade_frequency,
        config.validation_upgrade_delay,
        0,
        0,
    ]
