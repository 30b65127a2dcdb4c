"""The bookkeeping of packet ids, against a model too simple to be wrong."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_mqtt.codec import V5, V311, Malformed
from gateway_mqtt.uplink import Uplink


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 60), unique=True, max_size=40), st.randoms(use_true_random=False), st.sampled_from([V311, V5]))
def test_answers_keep_the_order_of_arrival_whatever_the_order_of_keeping(packet_ids, dice, version):
    uplink, kept, told = Uplink(version, 100), list(packet_ids), b""
    dice.shuffle(kept)
    for packet_id in packet_ids:
        assert uplink.admit(packet_id, packet_id % 2) is None

    for count, packet_id in enumerate(kept, 1):
        told += uplink.keep([packet_id])[1]
        front = next((n for n, each in enumerate(packet_ids) if each not in kept[:count]), len(packet_ids))
        assert told == b"".join(bytes((0x50 if each % 2 else 0x40, 2, 0, each)) for each in packet_ids[:front])

    assert uplink.waiting == 0


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["admit", "keep", "release"]), st.integers(1, 4), st.booleans()), max_size=60))
def test_no_order_of_events_unsettles_the_count(events):
    uplink, waiting = Uplink(V5, 3), 0
    for event, packet_id, flag in events:
        try:
            if event == "admit":
                waiting += uplink.admit(packet_id, flag) is None
            elif event == "keep":
                waiting -= uplink.keep([packet_id], {packet_id: 0x87} if flag else {})[0]
            else:
                uplink.release(packet_id)
        except Malformed:
            pass

        assert uplink.waiting == waiting
        assert 0 <= waiting <= 3


@pytest.mark.parametrize(("version", "waits"), [(V311, True), (V5, False)])
def test_only_who_cannot_be_told_of_a_share_waits_at_it(version, waits):
    uplink = Uplink(version, 1)
    uplink.admit(1, 0)

    assert uplink.full is waits


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["admit", "keep"]), st.lists(st.integers(1, 9), max_size=6), st.sampled_from([0, 0, 0, 0x87])),
        max_size=30,
    )
)
def test_a_run_is_what_its_messages_are_one_by_one(events):
    """The stroke and the single step are two ways to one state, whatever came before."""
    strokes, steps, told = Uplink(V5, 20), Uplink(V5, 20), [b"", b""]
    for event, packet_ids, reason in events:
        if event == "admit":
            packet_ids = packet_ids[: steps.room]
            if not strokes.admit_run(packet_ids):
                assert all(strokes.admit(packet_id, 0) is None for packet_id in packet_ids)
            assert all(steps.admit(packet_id, 0) is None for packet_id in packet_ids)
        else:
            reasons = dict.fromkeys(packet_ids, reason) if reason else {}
            told[0] += strokes.keep(packet_ids, reasons)[1]
            told[1] += b"".join(steps.keep([packet_id], reasons)[1] for packet_id in packet_ids)

        assert strokes.waiting == steps.waiting
        assert strokes.room == steps.room
        assert told[0] == told[1]
