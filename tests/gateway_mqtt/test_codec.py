"""The codec against an independent one, and against noise; the other one panics on bad text, so it reads only what one of the two wrote."""

import itertools

import mqtt5
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_mqtt import codec
from gateway_mqtt.codec import V5, V311, Malformed
from tests.gateway_mqtt import doors

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
topics = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0+#"), min_size=1, max_size=40)
ids = st.integers(1, 65_535)
pairs = st.lists(st.tuples(words, words), max_size=3)
quick = settings(max_examples=60, deadline=None)


def body(raw: bytes) -> tuple[int, bytes, int, int]:
    """(header, buffer, start, end) of the one packet in `raw`."""
    splitter = codec.Splitter(1 << 28)
    splitter.feed(raw)
    [(buffer, header, start, end)] = splitter.packets()
    return header, buffer, start, end


# What a device sends, made by the other library.


@quick
@given(words, words, st.binary(max_size=99), st.integers(0, 65_535), ids, st.booleans(), topics, st.binary(max_size=300), pairs)
def test_connect_reads_as_it_was_written(name, user, password, keep_alive, receive_max, clean, topic, payload, user_properties):
    will = mqtt5.Will(
        topic, payload=payload, qos=mqtt5.QoS.AT_LEAST_ONCE, retain=True, will_delay_interval=5, user_properties=user_properties
    )
    packet = mqtt5.ConnectPacket(
        name,
        username=user,
        password=password,
        clean_start=clean,
        will=will,
        keep_alive=keep_alive,
        session_expiry_interval=9,
        receive_max=receive_max,
        max_packet_size=70_000,
        user_properties=user_properties,
    )

    found = codec.read_connect(*body(packet.write())[1:])

    assert found == codec.Connect(
        version=V5,
        client_id=name,
        clean_start=clean,
        keep_alive_s=keep_alive,
        will=codec.Will(topic, payload, 1, True),
        username=user,
        password=password,
        session_expiry_s=9,
        receive_maximum=receive_max,
        packet_bytes_max=70_000,
    )


@quick
@given(
    topics,
    st.binary(max_size=300),
    st.sampled_from([mqtt5.QoS.AT_MOST_ONCE, mqtt5.QoS.AT_LEAST_ONCE, mqtt5.QoS.EXACTLY_ONCE]),
    ids,
    st.none() | st.binary(max_size=30),
    pairs,
)
def test_publish_reads_as_it_was_written(topic, payload, qos, packet_id, correlation, user_properties):
    numbered = qos != mqtt5.QoS.AT_MOST_ONCE
    packet = mqtt5.PublishPacket(
        topic,
        payload,
        qos=qos,
        packet_id=packet_id if numbered else None,
        correlation_data=correlation,
        content_type="application/json",
        message_expiry_interval=7,
        user_properties=user_properties,
    )

    header, *where = body(packet.write())
    found = codec.read_publish(*where, header, V5)

    assert found == codec.Publish(topic.encode(), payload, packet_id if numbered else 0, correlation)
    assert codec.read_topic(found.topic, 65_535) == topic


@quick
@given(ids, st.lists(topics, min_size=1, max_size=4), pairs)
def test_subscribe_and_unsubscribe_read_as_they_were_written(packet_id, filters, user_properties):
    wanted = [mqtt5.TopicFilter(name, max_qos=mqtt5.QoS.AT_LEAST_ONCE) for name in filters]
    subscribe = mqtt5.SubscribePacket(packet_id, wanted, user_properties=user_properties)
    unsubscribe = mqtt5.UnsubscribePacket(packet_id, filters, user_properties=user_properties)

    subscribed = codec.read_subscribe(*body(subscribe.write())[1:], V5)
    unsubscribed = codec.read_unsubscribe(*body(unsubscribe.write())[1:], V5)

    assert (subscribed.packet_id, [(name, options & 3) for name, options in subscribed.filters]) == (packet_id, [(f, 1) for f in filters])
    assert (unsubscribed.packet_id, unsubscribed.filters) == (packet_id, filters)


@quick
@given(ids, st.sampled_from([mqtt5.PubAckReasonCode.SUCCESS, mqtt5.PubAckReasonCode.NOT_AUTHORIZED]), st.none() | words)
def test_acknowledgements_read_as_they_were_written(packet_id, reason, why):
    packet = mqtt5.PubAckPacket(packet_id, reason_code=reason, reason_str=why)

    assert codec.read_ack(*body(packet.write())[1:], V5) == (packet_id, int(reason))


@quick
@given(st.sampled_from([mqtt5.DisconnectReasonCode.NORMAL_DISCONNECTION, mqtt5.DisconnectReasonCode.DISCONNECT_WITH_WILL_MESSAGE]), words)
def test_disconnect_reads_as_it_was_written(reason, why):
    packet = mqtt5.DisconnectPacket(reason_code=reason, reason_str=why)

    assert codec.read_disconnect(*body(packet.write())[1:], V5) == int(reason)


# What a device reads, read by the other library.


def test_connack_says_what_this_server_is_not():
    found, _ = mqtt5.read(codec.connack(V5, 0, receive_maximum=500, packet_bytes_max=9999, client_id="given", keep_alive_s=60))

    assert (found.reason_code, found.session_present, found.receive_max, found.max_packet_size) == (0, False, 500, 9999)
    assert (found.assigned_client_id, found.server_keep_alive, found.session_expiry_interval) == ("given", 60, 0)
    assert (found.topic_alias_max, found.retain_available, found.max_qos) == (0, True, mqtt5.QoS.EXACTLY_ONCE)
    assert not (found.wildcard_subscription_available or found.shared_subscription_available or found.subscription_id_available)


@pytest.mark.parametrize("reason", [0x81, 0x82, 0x84, 0x85, 0x86, 0x87, 0x88, 0x8C, 0x95, 0x97])
def test_refusals_are_read_by_the_other_library(reason):
    found, _ = mqtt5.read(codec.connack(V5, reason))

    assert int(found.reason_code) == reason


@quick
@given(st.lists(st.tuples(ids, st.sampled_from([0, 0x10, 0x80, 0x87, 0x97, 0x99])), max_size=9))
def test_acknowledgements_go_out_in_their_order(answers):
    raw = codec.acks(codec.PUBACK, answers, V5)

    found = []
    while raw:
        packet, size = mqtt5.read(raw)
        found.append((packet.packet_id, int(packet.reason_code)))
        raw = raw[size:]
    assert found == answers


@quick
@given(topics, st.binary(max_size=40_000), ids, st.none() | st.binary(max_size=30))
def test_commands_are_read_by_the_other_library(topic, payload, packet_id, correlation):
    raw = codec.publish(V5, topic, payload, packet_id=packet_id, expiry_s=5, response_topic="up", correlation=correlation)

    found, size = mqtt5.read(raw)

    assert size == len(raw)
    assert (found.topic, found.payload, found.packet_id, found.qos) == (topic, payload, packet_id, mqtt5.QoS.AT_LEAST_ONCE)
    assert (found.response_topic, found.correlation_data, found.message_expiry_interval) == ("up", correlation, 5)


def test_the_rest_is_read_by_the_other_library():
    suback, _ = mqtt5.read(codec.suback(V5, 7, [1, 0x87]))
    unsuback, _ = mqtt5.read(codec.unsuback(V5, 8, [0, 0x11]))
    goodbye, _ = mqtt5.read(codec.disconnect(V5, codec.TAKEN_OVER))

    assert (suback.packet_id, [int(code) for code in suback.reason_codes]) == (7, [1, 0x87])
    assert (unsuback.packet_id, [int(code) for code in unsuback.reason_codes]) == (8, [0, 0x11])
    assert goodbye.reason_code == mqtt5.DisconnectReasonCode.SESSION_TAKEN_OVER
    assert isinstance(mqtt5.read(codec.PINGRESP)[0], mqtt5.PingRespPacket)


def test_old_clients_get_what_their_standard_knows():
    assert codec.connack(V311, 0) == b"\x20\x02\0\0"
    assert [codec.connack(V311, reason)[3] for reason in (0x84, 0x85, 0x97, 0x86, 0x87, 0x95)] == [1, 2, 3, 4, 5, 5]
    assert codec.acks(codec.PUBACK, [(1, 0x87)], V311) == b"\x40\x02\0\x01"
    assert codec.suback(V311, 1, [1, 0x87]) == b"\x90\x04\0\x01\x01\x80"
    assert codec.unsuback(V311, 1, [0]) == b"\xb0\x02\0\x01"
    assert codec.disconnect(V311, 0x8E) == b""


# What no device may send.

long_text = b"\xff\xff" + b"x" * 9
REFUSED = {
    "user name that is not UTF-8": (V5, doors.connect(V5).replace(b"cam-1", b"cam-\xff"), 0x81),
    "surrogate in the client id": (V5, doors.connect(V5, client_id=b"\xed\xa0\x80"), 0x81),
    "NUL in the client id": (V311, doors.connect(V311, client_id=b"a\0b"), 0x81),
    "reserved CONNECT flag": (V311, doors.connect(V311, flags=0x03), 0x81),
    "will QoS without a will": (V5, doors.connect(V5, flags=0x0A), 0x81),
    "will of QoS 3": (V5, doors.connect(V5, flags=0x1A, will=("t", b"")), 0x81),
    "will topic with a wildcard": (V5, doors.connect(V5, will=("t/#", b"")), 0x90),
    "password without a user name in 3.1.1": (V311, doors.connect(V311, ""), 0x81),
    "protocol of another name": (V5, doors.connect(V5, protocol=b"MQTX"), 0x84),
    "protocol of the year 2010": (V311, doors.connect(V311, protocol=b"MQIsdp", level=3), 0x84),
    "protocol of the future": (V5, doors.connect(V5, level=6), 0x84),
    "bytes after the end of CONNECT": (V5, doors.packet(0x10, doors.connect(V5)[2:] + b"x"), 0x81),
    "property twice": (V5, doors.connect(V5, properties=b"\x21\0\x05\x21\0\x05"), 0x82),
    "receive maximum of 0": (V5, doors.connect(V5, properties=b"\x21\0\0"), 0x82),
    "property of another packet": (V5, doors.connect(V5, properties=b"\x23\0\x01"), 0x82),
    "properties longer than the packet": (V5, doors.packet(0x10, b"\0\x04MQTT\x05\x02\0\0\x7f"), 0x81),
    "endless property length": (V5, doors.packet(0x10, b"\0\x04MQTT\x05\x02\0\0\xff\xff\xff\xff\x01"), 0x81),
    "PUBLISH with a topic longer than itself": (V5, doors.packet(0x30, long_text), 0x81),
    "PUBLISH without a topic length": (V311, doors.packet(0x30, b"\0"), 0x81),
    "PUBLISH without its packet id": (V311, doors.packet(0x32, b"\0\x01t\0"), 0x81),
    "PUBLISH without its properties": (V5, doors.packet(0x30, b"\0\x01t"), 0x81),
    "packet id 0": (V311, doors.publish(V311, b"", packet_id=0), 0x82),
    "topic alias": (V5, doors.publish(V5, b"", packet_id=1, properties=b"\x23\0\x01"), 0x94),
    "subscription id in a PUBLISH": (V5, doors.publish(V5, b"", packet_id=1, properties=b"\x0b\x01"), 0x82),
    "response topic with a wildcard": (V5, doors.publish(V5, b"", packet_id=1, properties=b"\x08\0\x01#"), 0x82),
    "SUBSCRIBE to nothing": (V311, doors.subscribe(V311), 0x82),
    "SUBSCRIBE with reserved bits": (V311, doors.subscribe(V311, ("t", 4)), 0x81),
    "SUBSCRIBE with QoS 3": (V5, doors.subscribe(V5, ("t", 3)), 0x81),
    "SUBSCRIBE with a subscription id": (V5, doors.subscribe(V5, ("t", 1), properties=b"\x0b\x01"), 0xA1),
    "PUBACK that is too long in 3.1.1": (V311, doors.packet(0x40, b"\0\x01\0"), 0x81),
    "PINGREQ with a body": (V311, doors.packet(0xC0, b"x"), 0x81),
}


@pytest.mark.parametrize(("version", "raw", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_what_no_device_may_send_is_refused_with_its_reason(version, raw, reason):
    with pytest.raises(Malformed) as refused:
        read_all(raw, version)

    assert refused.value.reason == reason


@pytest.mark.parametrize("header", [0x00, 0x11, 0x20, 0x36, 0x38, 0x41, 0x60, 0x80, 0x90, 0xA0, 0xB0, 0xD0, 0xE1, 0xFF])
def test_headers_that_no_client_may_send_are_refused_at_their_first_byte(header):
    splitter = codec.Splitter(100)
    splitter.feed(bytes((header,)))

    with pytest.raises(Malformed):
        list(splitter.packets())


@pytest.mark.parametrize("topic", [b"", b"a/#", b"+/a", b"a\0b", b"\xff", b"x" * 101])
def test_topics_that_nobody_may_publish_to_are_refused(topic):
    with pytest.raises(Malformed):
        codec.read_topic(topic, 100)


def test_a_packet_too_large_is_refused_by_its_header_alone():
    splitter = codec.Splitter(100)
    splitter.feed(b"\x30\xff\xff\x7f")

    with pytest.raises(Malformed) as refused:
        list(splitter.packets())

    assert refused.value.reason == codec.TOO_LARGE


# The stream.


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400) | st.lists(st.sampled_from([raw for _, raw, _ in REFUSED.values()]), max_size=6).map(b"".join))
def test_byte_by_byte_reads_the_same_as_all_at_once(stream):
    assert split([stream]) == split([stream[at : at + 1] for at in range(len(stream))])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=8), st.lists(st.integers(0, 2500), max_size=8))
def test_any_cuts_give_the_same_packets(payloads, cuts):
    stream = b"".join(doors.publish(V311, payload, packet_id=1) for payload in payloads)
    bounds = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]

    packets, wrong = split([stream[start:end] for start, end in itertools.pairwise(bounds)])

    assert [raw[-len(payload) :] if payload else b"" for (_, raw), payload in zip(packets, payloads, strict=True)] == payloads
    assert wrong is None


def test_a_packet_the_reader_breaks_at_is_given_again():
    splitter = codec.Splitter(100)
    splitter.feed(b"\xc0\0\x40\x02\0\x01")
    for _, header, _, _ in splitter.packets():
        if header == codec.PUBACK:
            break

    assert [header for _, header, _, _ in splitter.packets()] == [codec.PUBACK]
    assert splitter.held_bytes == 0


publishes = st.builds(
    doors.publish,
    st.sampled_from([V311, V5]),
    st.binary(max_size=150),  # Some take a remaining length of two bytes.
    packet_id=st.integers(0, 3),
    qos=st.sampled_from([1, 1, 1, 0, 2]),
    flags=st.sampled_from([0, 0, 0, 1, 8]),
    kind=st.sampled_from(["spots", "spots", "status"]),
    properties=st.sampled_from([b"", b"\x01\x01"]),
)


@settings(max_examples=500, deadline=None)
@given(st.lists(publishes | st.binary(max_size=5), max_size=8).map(b"".join), st.sampled_from([V311, V5]), st.integers(0, 8), st.data())
def test_a_run_is_what_the_packets_are_one_by_one(stream, version, most, data):
    topic = f"{doors.TOPIC}cam-1/spots".encode()
    stream = stream[: data.draw(st.integers(0, len(stream)))]
    splitter = codec.Splitter(200)
    splitter.feed(stream)

    ids, payloads, end = splitter.run(topic, version, most)

    singly = codec.Splitter(200)
    singly.feed(stream)
    packets = itertools.islice(singly.packets(), len(ids))
    for (buffer, header, start, packet_end), packet_id, payload in zip(packets, ids, payloads, strict=True):
        assert header == 0x32
        assert codec.read_publish(buffer, start, packet_end, header, version) == codec.Publish(topic, payload, packet_id, None)
    assert len(ids) <= most
    splitter.skip(end)
    assert split([], splitter) == split([stream[end:]], codec.Splitter(200))


def test_a_run_ends_where_something_is_unusual():
    usual = [doors.publish(V311, b"%d" % number, packet_id=number, kind="spots") for number in (1, 2, 3)]
    splitter = codec.Splitter(1000)
    splitter.feed(b"".join((*usual, doors.publish(V311, b"retained", packet_id=4, kind="spots", flags=1), *usual)))

    ids, payloads, end = splitter.run(f"{doors.TOPIC}cam-1/spots".encode(), V311, 100)

    assert (ids, payloads, end) == ([1, 2, 3], [b"1", b"2", b"3"], sum(map(len, usual)))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60), st.sampled_from([V311, V5]), st.integers(0, 255))
def test_noise_raises_malformed_or_nothing(noise, version, header):
    for read in (read_connect, read_publish, read_subscribe, read_unsubscribe, read_ack, read_disconnect):
        try:
            read(noise, header, version)
        except Malformed as wrong:
            assert 0x80 <= wrong.reason <= 0xA2


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(list(REFUSED.values())), st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=4), st.integers(0, 200)
)
def test_mutated_packets_raise_malformed_or_nothing(case, flips, cut):
    version, raw, _ = case
    mutated = bytearray(raw[: len(raw) - cut % len(raw)])
    for at, value in flips:
        mutated[at % len(mutated)] = value

    try:
        read_all(bytes(mutated), version)
    except Malformed as wrong:
        assert wrong.reason >= 0x80


def split(chunks: list[bytes], splitter: codec.Splitter | None = None) -> tuple[list[tuple[int, bytes]], int | None]:
    splitter, packets = splitter or codec.Splitter(1000), []
    try:
        for chunk in chunks or [b""]:
            splitter.feed(chunk)
            for buffer, header, start, end in splitter.packets():
                packets.append((header, buffer[start:end]))
    except Malformed as wrong:
        return packets, wrong.reason
    return packets, None


def read_all(raw: bytes, version: int) -> None:
    splitter = codec.Splitter(1 << 20)
    splitter.feed(raw)
    for buffer, header, start, end in splitter.packets():
        noise = buffer[start:end]
        if header & 0xF0 == codec.PUBLISH:
            read_publish(noise, header, version)
        elif header == codec.CONNECT:
            read_connect(noise, header, version)
        elif header == codec.SUBSCRIBE:
            read_subscribe(noise, header, version)
        elif header == codec.UNSUBSCRIBE:
            read_unsubscribe(noise, header, version)
        elif header == codec.PINGREQ:
            codec.read_nothing(start, end)
        elif header == codec.DISCONNECT:
            read_disconnect(noise, header, version)
        else:
            read_ack(noise, header, version)


# Each reader is given bytes before and after its packet, which it must not touch.


def read_connect(noise, header, version):
    codec.version_of(noise)
    return codec.read_connect(b"pre" + noise + b"post", 3, 3 + len(noise))


def read_publish(noise, header, version):
    found = codec.read_publish(b"pre" + noise + b"post", 3, 3 + len(noise), header, version)
    assert len(found.topic) + len(found.payload) <= len(noise)
    codec.read_topic(found.topic, 512)
    return found


def read_subscribe(noise, header, version):
    return codec.read_subscribe(b"pre" + noise + b"post", 3, 3 + len(noise), version)


def read_unsubscribe(noise, header, version):
    return codec.read_unsubscribe(b"pre" + noise + b"post", 3, 3 + len(noise), version)


def read_ack(noise, header, version):
    return codec.read_ack(b"pre" + noise + b"post", 3, 3 + len(noise), version)


def read_disconnect(noise, header, version):
    return codec.read_disconnect(b"pre" + noise + b"post", 3, 3 + len(noise), version)
