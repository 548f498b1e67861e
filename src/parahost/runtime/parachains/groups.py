"""The partition of validators into groups (A27, D2)."""

from __future__ import annotations

from parahost.primitives.basic import H256, U32, ValidatorIndex
from parahost.runtime.parachains.shuffle import shuffled

Group = tuple[ValidatorIndex, ...]


def validator_groups(validators: int, groups: int, seed: H256) -> tuple[Group, ...]:
    """So many validators, shuffled with the session's seed, in so many groups: the first
    ``validators % groups`` of them have one member more than the rest. Without validators there
    are no groups."""
    if not groups or not validators:
        return ()
    order = [ValidatorIndex(U32(index)) for index in shuffled(validators, seed)]
    size, larger = divmod(validators, groups)
    partition = []
    start = 0
    for group in range(groups):
        end = start + size + (group < larger)
        partition.append(tuple(order[start:end]))
        start = end
    return tuple(partition)
