"""The order of things, and session changes at the right time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from parahost.primitives.basic import U32, SessionIndex
from parahost.runtime.origin import NoOrigin
from parahost.runtime.parachains.inclusion_inherent import InclusionCall
from parahost.runtime.parachains.initializer import SessionChangeTooLate
from parahost.runtime.storage import Overlay

from .world import SEED, World, block, genesis_args, para, validator_ids

ORDER = ["configuration", "paras", "scheduler", "inclusion", "validity"]


def _traced(world: World, monkeypatch: pytest.MonkeyPatch, step: str) -> list[str]:
    """The modules in the order in which that step reaches them."""
    reached: list[str] = []
    for name in ORDER:
        module = getattr(world.host, name)
        plain = getattr(module, step)

        def traced(*args: object, name: str = name, plain: object = plain) -> None:
            reached.append(name)
            plain(*args)  # type: ignore[operator]

        monkeypatch.setattr(module, step, traced)
    return reached


@pytest.mark.guide("A1", "A2")
def test_initialisation_goes_in_order_and_sets_the_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(parachains=[1])
    reached = _traced(world, monkeypatch, "initialize")
    assert not world.host.initializer.has_initialized.get(world.state)
    store = world.child()
    assert reached == ORDER
    assert world.host.initializer.has_initialized.get(store)


@pytest.mark.guide("A1", "A5")
def test_finalisation_goes_in_reverse_and_clears_the_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(parachains=[1])
    reached = _traced(world, monkeypatch, "finalize")
    store = world.child()
    world.host.inclusion_inherent.dispatch(store, NoOrigin(), InclusionCall(world.data()))
    world.host.finalize(store)
    assert reached == ORDER[::-1]
    assert not world.host.initializer.has_initialized.exists(store)


@pytest.mark.guide("A3")
def test_a_session_change_is_forwarded_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(parachains=[1])
    reached = _traced(world, monkeypatch, "on_session_change")
    world.add_block(new_session=4)
    assert reached == ORDER


@pytest.mark.guide("A3")
def test_a_session_change_after_initialisation_stops_everything() -> None:
    world = World(parachains=[1])
    store = world.child()
    notification = world.host.initializer.notification(
        store,
        session_index=SessionIndex(U32(1)),
        validators=world.validators,
        queued=world.validators,
        random_seed=SEED,
    )
    with pytest.raises(SessionChangeTooLate) as caught:
        world.host.on_session_change(store, notification)
    assert caught.value.session_index == 1


@pytest.mark.guide("A4")
def test_the_notification_carries_both_configurations() -> None:
    world = World(parachains=[1], parathread_cores=1)

    def raise_cores(store: Overlay) -> None:
        world.host.configuration.update_configuration(
            store, lambda config: replace(config, parathread_cores=U32(3))
        )

    world.add_block(extrinsics=raise_cores)
    notification = world.host.initializer.notification(
        world.state,
        session_index=SessionIndex(U32(1)),
        validators=validator_ids(3),
        queued=validator_ids(4),
        random_seed=SEED,
    )
    assert notification.prev_config.parathread_cores == 1
    assert notification.new_config.parathread_cores == 3
    assert len(notification.validators) == 3
    assert len(notification.queued) == 4
    assert notification.random_seed == SEED
    assert notification.session_index == 1


@pytest.mark.guide("A4")
def test_the_post_state_of_a_sessions_last_block_belongs_to_the_next() -> None:
    world = World(validators=6, parachains=[1])
    world.add_block(
        extrinsics=lambda store: world.host.paras.schedule_para_initialize(
            store, para(2), genesis_args(2, parachain=True)
        ),
        new_session=4,
    )
    assert world.api.session_index_for_child(world.state) == 1
    assert world.api.validators(world.state) == validator_ids(4)
    assert len(world.api.availability_cores(world.state)) == 2
    assert world.host.scheduler.session_start_block.get(world.state) == block(1)
