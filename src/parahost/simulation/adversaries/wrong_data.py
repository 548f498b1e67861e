"""A conspiracy of backers: data that nobody has judged are what becomes available."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

from parahost import erasure
from parahost.node.backing.assignments import assign
from parahost.node.messages.availability import StoreAvailableData, Stored
from parahost.node.messages.backing import Second
from parahost.node.messages.base import Message
from parahost.node.node import Node
from parahost.primitives.basic import H256
from parahost.primitives.candidates import AvailableData, PoV
from parahost.primitives.scale import encode
from parahost.runtime import api
from parahost.simulation.adversaries.adversary import Adversary
from parahost.simulation.adversaries.insider import Insider
from parahost.simulation.build import Alteration, Build
from parahost.simulation.faults import World


@dataclass(frozen=True, kw_only=True)
class BacksWrongData(Adversary):
    """Conspirators second each candidate with the erasure root of other data than its own, vouch
    for each other's and for nobody else's, and hand out the chunks of those other data.

    Each chunk has its right proof, so validators outside the group keep theirs and claim it (A90,
    A95). In a group of which they are less than half nothing comes of it: who judges the real PoV
    sees that it does not give the root, says ``Invalid`` (A75), and the disagreement is reported
    (A109). Where they are the majority, the candidate is included, and whoever recovers its data
    gets others than those that were judged: that is for checks and disputes to answer, and the
    scenario says so by ``without=("nothing_final_invalid",)``. All other promises hold.
    """

    kind: ClassVar[str] = "backs_wrong_data"

    def conspire(self, world: World) -> Alteration:
        def alter(build: Build) -> None:
            _Conspirator(build)

        return alter


class _Conspirator(Insider):
    """All exchange data in the same way, and so know each other's candidates by their roots."""

    def __init__(self, build: Build) -> None:
        super().__init__(build)
        self._journal = build.journal

    def twist(self, node: Node, message: Message) -> Iterable[Message]:
        match message:
            case Second():
                self._exchange_root(node, message)
            case StoreAvailableData():
                other = _other(message.data)
                if _root(other, message.validators) != message.erasure_root:
                    # As if the disk refused it: then backing says nothing of the candidate.
                    message.reply.answer(Stored.REFUSED)
                    return ()
                message.data = other
                self._journal.record("adversary.wrong_data", candidate=message.candidate)
        return (message,)

    def _exchange_root(self, node: Node, message: Second) -> None:
        state = node.chain.state(message.relay_parent)
        descriptor = message.candidate.descriptor
        paras = assign(api.validator_groups(state), api.availability_cores(state))
        assumption = paras[descriptor.para_id].assumption
        data = api.persisted_validation_data(state, descriptor.para_id, assumption)
        assert data is not None, "the collation was made with them"
        root = _root(_other(AvailableData(message.pov, data)), len(api.validators(state)))
        message.candidate = replace(
            message.candidate, descriptor=replace(descriptor, erasure_root=H256(root))
        )


def _other(data: AvailableData) -> AvailableData:
    """Data that look like these, with another block."""
    return replace(data, pov=PoV(bytes(byte ^ 0xFF for byte in data.pov.block_data)))


def _root(data: AvailableData, validators: int) -> bytes:
    return erasure.erasure_root(erasure.encode(encode(data), validators))
