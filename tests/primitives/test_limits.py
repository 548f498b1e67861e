"""The limits fit one another (D35), by sums that are written out here."""

from parahost.primitives import limits


def test_a_header_has_room_for_both_new_sets_of_authorities() -> None:
    authority = 32 + 8
    fixed = 4 * 1024
    assert 2 * limits.MAX_VALIDATORS * authority + fixed <= limits.MAX_HEADER_BYTES


def test_a_para_can_be_registered_in_one_transaction_and_that_in_a_block() -> None:
    envelope = 64 * 1024
    assert limits.MAX_CODE_BYTES == 5 * 1024 * 1024
    assert (
        limits.MAX_CODE_BYTES + limits.MAX_HEAD_DATA_BYTES + envelope
        <= limits.MAX_TRANSACTION_BYTES
        <= limits.MAX_BODY_BYTES // 2
    )


def test_what_a_thousand_grandpa_voters_say_fits() -> None:
    vote = 32 + 4 + 64 + 32
    one_stage = 2 * limits.MAX_VALIDATORS * vote
    assert limits.MAX_GRANDPA_VOTES == 2 * limits.MAX_VALIDATORS
    assert vote == limits.SIGNED_VOTE_BYTES
    assert 2 * one_stage + 1024 <= limits.MAX_GRANDPA_MESSAGE_BYTES
    ordinary_headers = 1024 * 350
    assert one_stage + ordinary_headers + 1024 <= limits.MAX_JUSTIFICATION_BYTES
