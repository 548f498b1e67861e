"""Entry points: who may make which call, and what governance and collators do with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, get_args

import pytest

from parahost.primitives.approval import SecondaryChecks
from parahost.primitives.basic import (
    H256,
    H512,
    U32,
    U64,
    U128,
    BlockNumber,
    CandidateHash,
    CoreIndex,
    GrandpaSignature,
    HeadData,
    ParaId,
    SessionIndex,
    Slot,
    ValidationCode,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.consensus import (
    BabeEquivocationProof,
    GrandpaEquivocationProof,
    Prevote,
)
from parahost.primitives.inherent import ParachainsInherentData
from parahost.primitives.misbehavior import DoubleVote
from parahost.primitives.remote_disputes import RemoteDispute
from parahost.primitives.scale import ScaleDecodeError, ScaleEncodeError, decode
from parahost.primitives.statements import (
    CompactSeconded,
    SignedCompactStatement,
    SigningContext,
)
from parahost.runtime import api
from parahost.runtime.babe import ReportBabeEquivocation
from parahost.runtime.balances import TransferAll, TransferAllowDeath, TransferKeepAlive
from parahost.runtime.contradictions import ReportContradiction
from parahost.runtime.dispatch import BadOriginRefusal, ModuleRefusal
from parahost.runtime.errors import BadOrigin, InvalidBlock, ModuleError
from parahost.runtime.grandpa import ReportGrandpaEquivocation
from parahost.runtime.module import RuntimeCall, RuntimeEvent, encode_call, name_of
from parahost.runtime.modules import MODULE_TABLE
from parahost.runtime.origin import NoOrigin, Origin, Root, Signed
from parahost.runtime.parachains import configuration
from parahost.runtime.parachains.disputes import ForceUnfreeze
from parahost.runtime.parachains.inclusion_inherent import InclusionCall
from parahost.runtime.parachains.paras import NotRegistered, TooManyParachains
from parahost.runtime.parachains.remote_disputes import DisputeRemotely
from parahost.runtime.parachains.scheduler import ClaimExists
from parahost.runtime.parachains.validity import NoteChecks
from parahost.runtime.parathreads import Claim, Claimed
from parahost.runtime.registrar import (
    Deregister,
    Deregistered,
    HeadDataTooLarge,
    InvalidCode,
    Register,
    Registered,
    ScheduleCodeUpgrade,
    UpgradePlanned,
)
from parahost.runtime.session import KeyInUse, SetKeys, SetValidators
from parahost.runtime.signers import AccountAddress
from parahost.runtime.staking import Bond, Unbond, WithdrawUnbonded
from parahost.runtime.storage import Overlay
from parahost.runtime.sudo import KeyChanged, NotTheKey, SetKey, Sudid, SudoCall
from parahost.runtime.system import ExtrinsicFailed, Remark, RemarkWithEvent
from parahost.runtime.timestamp import SetTimestamp
from parahost.runtime.validity_parameters import (
    DEFAULT_VALIDITY_CONFIGURATION,
    SetValidityConfiguration,
)
from tests.runtime.pipeline import inherent_data
from tests.runtime.world import GENESIS, ROOT_NAME, Chain, account, key, para, session_keys

CHAIN = Chain()
CHAIN.step()

PARA = ParaId(U32(300))
HEAD = HeadData(b"head")
CODE = ValidationCode(b"\0asm code")
VOTE = Prevote(H256(bytes(32)), U32(1))  # type: ignore[arg-type]

NOBODYS = GrandpaSignature(H512(bytes(64)))
NOBODYS_CHECKS = SecondaryChecks(SessionIndex(U32(0)), CandidateHash(H256(bytes(32))), (), ())

SECONDED = SignedCompactStatement(
    CompactSeconded(CandidateHash(H256(bytes(32)))),
    ValidatorIndex(U32(0)),
    ValidatorSignature(H512(bytes(64))),
)
RECEIPT = inherent_data(CHAIN).backed_candidates[0].candidate.to_plain()

BOB = AccountAddress(account("Bob"))

EXAMPLES: dict[type, Callable[[], Any]] = {
    SetTimestamp: lambda: SetTimestamp(1),
    InclusionCall: lambda: InclusionCall(ParachainsInherentData((), (), (), CHAIN.header)),
    ReportBabeEquivocation: lambda: ReportBabeEquivocation(
        BabeEquivocationProof(session_keys("Alice").babe, Slot(U64(0)), CHAIN.header, CHAIN.header)
    ),
    ReportGrandpaEquivocation: lambda: ReportGrandpaEquivocation(
        GrandpaEquivocationProof(
            U64(0),
            U64(0),
            session_keys("Alice").grandpa,
            VOTE,
            NOBODYS,
            VOTE,
            NOBODYS,
        )
    ),
    SetKeys: lambda: SetKeys(session_keys("Eve")),
    SetValidators: lambda: SetValidators((account("Alice"),)),
    Register: lambda: Register(PARA, HEAD, CODE, True),
    Deregister: lambda: Deregister(ParaId(U32(100))),
    ScheduleCodeUpgrade: lambda: ScheduleCodeUpgrade(ParaId(U32(100)), CODE),
    Claim: lambda: Claim(ParaId(U32(200))),
    SudoCall: lambda: SudoCall(SetValidators((account("Alice"),))),
    SetKey: lambda: SetKey(account("Alice")),
    Remark: lambda: Remark(b"said"),
    RemarkWithEvent: lambda: RemarkWithEvent(b"said"),
    TransferAllowDeath: lambda: TransferAllowDeath(BOB, U128(1)),
    TransferKeepAlive: lambda: TransferKeepAlive(BOB, U128(1)),
    TransferAll: lambda: TransferAll(BOB, True),
    Bond: lambda: Bond(U128(1)),
    Unbond: lambda: Unbond(U128(1)),
    WithdrawUnbonded: WithdrawUnbonded,
    ForceUnfreeze: ForceUnfreeze,
    ReportContradiction: lambda: ReportContradiction(
        DoubleVote(SigningContext(SessionIndex(U32(0)), CHAIN.header.hash()), SECONDED, SECONDED)
    ),
    DisputeRemotely: lambda: DisputeRemotely(
        RemoteDispute(RECEIPT, SessionIndex(U32(0)), CoreIndex(U32(0)), CHAIN.header, None, ())
    ),
    NoteChecks: lambda: NoteChecks((NOBODYS_CHECKS,)),
    SetValidityConfiguration: lambda: SetValidityConfiguration(DEFAULT_VALIDITY_CONFIGURATION),
} | {cls: partial(cls, U32(5)) for cls in get_args(configuration.ConfigurationCall)}

ALICE = Signed(account("Alice"))
ALLOWED: dict[type, tuple[Origin, ...]] = (
    {cls: (NoOrigin(),) for cls in (SetTimestamp, InclusionCall, NoteChecks)}
    | {cls: (NoOrigin(),) for cls in (ReportBabeEquivocation, ReportGrandpaEquivocation)}
    | {ReportContradiction: (NoOrigin(),)}
    | dict.fromkeys((SetKeys, Claim, SudoCall, SetKey), (ALICE,))
    | dict.fromkeys((Bond, Unbond, WithdrawUnbonded, DisputeRemotely), (ALICE,))
    | dict.fromkeys((Remark, RemarkWithEvent), (ALICE,))
    | dict.fromkeys((TransferAllowDeath, TransferKeepAlive, TransferAll), (ALICE,))
    | {cls: (Root(),) for cls in (SetValidators, Register, Deregister, ScheduleCodeUpgrade)}
    | dict.fromkeys((SetValidityConfiguration, ForceUnfreeze), (Root(),))
    | {cls: (Root(),) for cls in get_args(configuration.ConfigurationCall)}
)


@pytest.mark.guide("A9")
@pytest.mark.parametrize("origin", [Root(), ALICE, NoOrigin()], ids=["root", "signed", "none"])
@pytest.mark.parametrize("call", RuntimeCall.__scale_members__, ids=name_of)
def test_every_entry_point_checks_its_origin(call: type, origin: Origin) -> None:
    """Refused from a wrong origin before anything is written; from a right one, never so."""
    store = Overlay(CHAIN.state)
    dispatch = CHAIN.runtime.modules.dispatch
    if origin not in ALLOWED[call]:
        with pytest.raises(BadOrigin):
            dispatch(store, origin, EXAMPLES[call]())
        assert store.changes() == {}
        return
    try:
        dispatch(store, origin, EXAMPLES[call]())
    except BadOrigin as error:
        pytest.fail(f"refused for its origin: {error}")
    except (ModuleError, InvalidBlock):
        pass  # it came past the origin


def test_numbers_are_unique_and_modules_are_named() -> None:
    """Tools find calls, events and errors by their numbers."""
    modules = list(CHAIN.runtime.modules)
    assert tuple(type(module) for module in modules) == MODULE_TABLE
    for members in (RuntimeCall.__scale_members__, RuntimeEvent.__scale_members__):
        tags = [vars(member)["__scale_tag__"] for member in members]
        assert len(set(tags)) == len(tags)
    numbers = [(error.pallet, error.index) for module in MODULE_TABLE for error in module.errors]
    assert len(set(numbers)) == len(numbers)
    keys = [item.prefix for module in modules for item in module.storage_items]
    assert len(set(keys)) == len(keys)


def refusal_in(chain: Chain) -> tuple[int, int]:
    """Module and number of the error with which the block's last transaction failed."""
    refusals = [
        event.dispatch_error if isinstance(event, ExtrinsicFailed) else event.error
        for event in chain.events()
        if isinstance(event, ExtrinsicFailed) or (isinstance(event, Sudid) and event.error)
    ]
    assert len(refusals) == 1
    assert isinstance(refusals[0], ModuleRefusal)
    return refusals[0].index, int.from_bytes(refusals[0].error, "little")


def number_of(error: type[ModuleError]) -> tuple[int, int]:
    return error.pallet.index, error.index


# Sudo


def test_only_the_key_governs() -> None:
    chain = Chain()
    chain.step(chain.signed("Alice", SudoCall(SetValidators((account("Bob"),)))))
    assert refusal_in(chain) == number_of(NotTheKey)
    chain.step(chain.sudo(SetValidators((account("Bob"),))))
    assert Sudid(None) in chain.events()
    assert chain.runtime.modules.session.chosen.get(chain.state) == (account("Bob"),)


def test_a_refused_governed_call_leaves_its_event_only() -> None:
    chain = Chain()
    before = chain.runtime.modules.session.chosen.get(chain.state)
    chain.step(chain.sudo(SetValidators((account("Alice"), account("Alice")))))
    assert refusal_in(chain)[0] == chain.runtime.modules.session.pallet.index
    assert chain.runtime.modules.session.chosen.get(chain.state) == before


def test_the_root_makes_the_calls_that_take_it_and_is_refused_by_all_others() -> None:
    """What a sender asks for, or nobody, is refused with BadOrigin; the transaction is good."""
    chain = Chain()
    for made in RuntimeCall.__scale_members__:
        if made is SudoCall:
            continue
        chain.step(chain.sudo(EXAMPLES[made]()))
        (told,) = (event.error for event in chain.events() if isinstance(event, Sudid))
        assert (told == BadOriginRefusal()) is (Root() not in ALLOWED[made]), made


def test_no_call_for_the_root_holds_another_one() -> None:
    chain = Chain()
    inner = SudoCall(SetValidators((account("Bob"),)))
    with pytest.raises(ScaleEncodeError):
        chain.sudo(inner)
    nested = encode_call(inner)[:2] + encode_call(inner)
    with pytest.raises(ScaleDecodeError, match="no variant has the tag ff00"):
        decode(RuntimeCall, nested)


def test_the_key_is_handed_over() -> None:
    chain = Chain()
    chain.step(chain.signed(ROOT_NAME, SetKey(account("Alice"))))
    assert KeyChanged(account(ROOT_NAME), account("Alice")) in chain.events()
    chain.step(chain.sudo(SetValidators((account("Bob"),))))
    assert refusal_in(chain) == number_of(NotTheKey)
    chain.step(chain.signed("Alice", SudoCall(SetValidators((account("Bob"),)))))
    assert Sudid(None) in chain.events()


def test_without_a_key_nobody_governs() -> None:
    from dataclasses import replace

    chain = Chain(replace(GENESIS, sudo=None))
    chain.step(chain.sudo(SetValidators((account("Bob"),))))
    assert refusal_in(chain) == number_of(NotTheKey)


# Session keys


def test_a_key_has_one_owner() -> None:
    chain = Chain()
    stolen = session_keys("Alice")
    chain.step(chain.signed("Eve", SetKeys(stolen)))
    assert refusal_in(chain) == number_of(KeyInUse)
    chain.step(chain.signed("Eve", SetKeys(session_keys("Eve"))))
    session = chain.runtime.modules.session
    assert session.next_keys.get(chain.state, account("Eve")) == session_keys("Eve")
    assert session.owner_of(chain.state, b"babe", session_keys("Eve").babe) == account("Eve")


# Registrar


@pytest.mark.guide("A16", "A17", "A21")
def test_paras_come_and_go_with_the_session() -> None:
    chain = Chain()
    paras = chain.runtime.modules.parachains.paras
    chain.step(chain.sudo(Register(PARA, HEAD, CODE, True)))
    assert Registered(PARA) in chain.events()
    chain.step(chain.sudo(Deregister(ParaId(U32(100)))))
    assert Deregistered(ParaId(U32(100))) in chain.events()
    session = chain.runtime.modules.session
    while session.index(chain.state) == 0:
        assert paras.parachains(chain.state) == (100, 101)
        chain.step()
    assert paras.parachains(chain.state) == (101, 300)
    assert paras.heads.get(chain.state, PARA) == HEAD
    chain.steps(5)


def test_limits_of_registration() -> None:
    chain = Chain()
    config = GENESIS.configuration
    for error, head, code in (
        (InvalidCode, HEAD, ValidationCode(b"")),
        (InvalidCode, HEAD, ValidationCode(b"no Wasm")),
        (InvalidCode, HEAD, ValidationCode(CODE.ljust(config.max_code_size + 1))),
        (HeadDataTooLarge, HeadData(bytes(config.max_head_data_size + 1)), CODE),
    ):
        chain.step(chain.sudo(Register(PARA, head, code, True)))
        assert refusal_in(chain) == number_of(error)
    largest = ValidationCode(CODE.ljust(config.max_code_size))
    head = HeadData(bytes(config.max_head_data_size))
    chain.step(chain.sudo(Register(PARA, head, largest, False)))
    assert Registered(PARA) in chain.events()


def test_a_para_gets_new_code_by_governance() -> None:
    chain = Chain()
    paras, para_id = chain.runtime.modules.parachains.paras, ParaId(U32(100))
    old = paras.validation_code.get(chain.state, para_id)
    chain.step(data=inherent_data(chain))
    chain.step(chain.sudo(ScheduleCodeUpgrade(para_id, CODE)))
    assert paras.future_code.get(chain.state, para_id) == CODE
    expected_at = paras.future_code_upgrades.get(chain.state, para_id)
    assert expected_at == chain.header.number + GENESIS.configuration.validation_upgrade_delay
    store = Overlay(chain.state)
    paras.note_new_head(store, para_id, HEAD, BlockNumber(U32(expected_at - 1)))
    assert paras.validation_code.get(store, para_id) == old
    paras.note_new_head(store, para_id, HEAD, BlockNumber(U32(expected_at)))
    assert paras.validation_code.get(store, para_id) == CODE


def test_no_upgrade_takes_the_place_of_another() -> None:
    """Neither of one that is planned, nor of one that a pending candidate will plan."""
    chain = Chain()
    inclusion, para_id = chain.runtime.modules.parachains.inclusion, ParaId(U32(100))
    upgrade = ScheduleCodeUpgrade(para_id, CODE)
    chain.step(data=inherent_data(chain))
    pending = inclusion.candidate_pending_availability(chain.state, para_id)
    assert pending is not None
    announcing = replace(pending.commitments, new_validation_code=CODE)
    store = Overlay(chain.state)
    inclusion.pending_availability_commitments.put(store, para_id, announcing)
    with pytest.raises(UpgradePlanned):
        chain.runtime.modules.dispatch(store, Root(), upgrade)
    for error in (None, UpgradePlanned):
        chain.step(chain.sudo(upgrade))
        if error:
            assert refusal_in(chain) == number_of(error)
    for call, why in (
        (ScheduleCodeUpgrade(ParaId(U32(999)), CODE), NotRegistered),
        (ScheduleCodeUpgrade(para_id, ValidationCode(b"no Wasm")), InvalidCode),
    ):
        chain.step(chain.sudo(call))
        assert refusal_in(chain) == number_of(why)


def test_there_are_so_many_parachains_at_most() -> None:
    """They are counted as the next session will have them."""
    chain = Chain(replace(GENESIS, paras=tuple(para(number) for number in range(200))))
    chain.step(chain.sudo(Register(PARA, HEAD, CODE, True)))
    assert refusal_in(chain) == number_of(TooManyParachains)
    chain.step(chain.sudo(Register(PARA, HEAD, CODE, False)))
    assert Registered(PARA) in chain.events()
    chain.step(chain.sudo(Deregister(ParaId(U32(7)))))
    chain.step(chain.sudo(Register(ParaId(U32(7)), HEAD, CODE, True)))
    assert Registered(ParaId(U32(7))) in chain.events()
    chain.step(chain.sudo(Register(ParaId(U32(301)), HEAD, CODE, True)))
    assert refusal_in(chain) == number_of(TooManyParachains)


def test_no_value_of_the_configuration_stops_the_chain() -> None:
    """Governance asks for what no machine can do: refused, and the chain goes on."""
    chain = Chain()
    for call in get_args(configuration.ConfigurationCall):
        chain.step(chain.sudo(call(U32(2**32 - 1))))
        assert refusal_in(chain) == number_of(configuration.BadConfiguration)
    session = api.session_index_for_child(chain.state)
    while api.session_index_for_child(chain.state) == session:
        chain.step()
    chain.step(data=inherent_data(chain))


# Parathreads


@pytest.mark.guide("A31")
def test_a_collator_claims_a_parathread() -> None:
    chain = Chain()
    thread = ParaId(U32(200))
    chain.step(chain.signed("Eve", Claim(thread)), chain.signed("Ferdie", Claim(thread)))
    assert Claimed(thread, H256(key("Eve").public)) in chain.events()
    assert refusal_in(chain) == number_of(ClaimExists)
    queue = chain.runtime.modules.parachains.scheduler.parathread_queue.get(chain.state)
    assert [queued.claim.claim.collator for queued in queue.queue] == [key("Eve").public]


def test_a_parachain_cannot_be_claimed() -> None:
    chain = Chain()
    chain.step(chain.signed("Eve", Claim(ParaId(U32(100)))))
    assert refusal_in(chain)[0] == chain.runtime.modules.parachains.paras.pallet.index
