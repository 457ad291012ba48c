"""PUBLISH packets are cut out of the stream however it is cut into pieces; paho sees all others, in order."""

from __future__ import annotations

import socket
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.inbound import NOT_UTF8, Inbound

Message = tuple[str, bytes, int, bool, bool]


class Pieces:
    """A socket that gives what is left of its pieces, one a call, and then has nothing."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = [p for p in pieces if p]

    def recv(self, size: int) -> bytes:
        if not self.pieces:
            raise BlockingIOError
        piece = self.pieces.pop(0)
        if len(piece) > size:
            self.pieces.insert(0, piece[size:])
        return piece[:size]


def length(n: int) -> bytes:
    out = bytearray()
    while True:
        n, digit = n >> 7, n & 127
        out.append(digit | (128 if n else 0))
        if not n:
            return bytes(out)


def publish(message: Message, properties: bytes | None) -> bytes:
    topic, payload, mid, again, retained = message
    name = topic.encode()
    body = len(name).to_bytes(2, "big") + name + (mid.to_bytes(2, "big") if mid else b"")
    if properties is not None:
        body += length(len(properties)) + properties
    body += payload
    return bytes([0x30 | again << 3 | (2 if mid else 0) | retained]) + length(len(body)) + body


def drain(inbound: Inbound, sock: Pieces, others: list[bytes], most: int = 512) -> None:
    """Read as the link does: messages by themselves, what is for paho by `recv`."""
    while True:
        inbound.read(most)
        if inbound.for_paho:
            got = bytearray()
            while inbound.for_paho:
                got += inbound.recv(3)
            others.append(bytes(got))
        elif not sock.pieces and not inbound.pending():
            return


messages = st.tuples(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40),
    st.one_of(st.binary(max_size=300), st.integers(16_000, 40_000).map(bytes)),
    st.integers(0, 65_535),
    st.booleans(),
    st.booleans(),
)
OTHERS = (b"\xd0\x00", b"\x90\x03\x00\x01\x01", b"\x34\x07\x00\x01a\x00\x05xy", b"\xe0\x00")


@given(
    st.lists(st.one_of(messages, st.sampled_from(OTHERS)), max_size=12),
    st.one_of(st.none(), st.binary(max_size=200)),
    st.lists(st.integers(1, 5000), max_size=60),
    st.integers(1, 600),
)
def test_every_message_comes_once_and_in_order_however_the_stream_is_cut(packets, properties, cuts, most):
    stream = b"".join(p if isinstance(p, bytes) else publish(p, properties) for p in packets)
    pieces, at = [], 0
    for cut in cuts:
        pieces.append(stream[at : at + cut])
        at += cut
    sock = Pieces([*pieces, stream[at:]])
    got: list[Any] = []
    others: list[bytes] = []
    inbound = Inbound(sock, properties=properties is not None, on_message=lambda *m: got.append(m))
    drain(inbound, sock, others, most)
    assert got == [p for p in packets if not isinstance(p, bytes)]
    assert others == [p for p in packets if isinstance(p, bytes)]


@given(st.binary(max_size=400), st.booleans(), st.integers(1, 50))
def test_no_bytes_whatever_make_it_fail_or_hang(stream, properties, cut):
    sock = Pieces([stream[i : i + cut] for i in range(0, len(stream), cut)])
    drain(Inbound(sock, properties=properties, on_message=lambda *_: None), sock, [])


def test_a_topic_that_is_not_utf8_is_named_so():
    packet = publish(("ab", b"1", 7, False, False), None).replace(b"ab", b"\xff\xfe")
    got: list[Any] = []
    Inbound(Pieces([packet]), properties=False, on_message=lambda *m: got.append(m)).read(5)
    assert got == [(NOT_UTF8, b"1", 7, False, False)]


@pytest.mark.parametrize(
    "packet",
    [
        b"\x32\x03\x00\x09a",  # the topic is longer than the packet
        b"\x32\x03\x00\x01a",  # no packet id
        b"\x32\x05\x00\x01a\x00\x00",  # packet id 0
        b"\x30\x80\x80\x80\x80\x01",  # a length of five bytes
    ],
)
def test_what_is_malformed_is_left_to_paho_which_ends_the_connection(packet):
    got: list[Any] = []
    inbound = Inbound(Pieces([packet]), properties=False, on_message=lambda *m: got.append(m))
    inbound.read(5)
    assert inbound.for_paho
    assert not got


def test_the_end_of_the_connection_is_shown_to_paho_after_the_last_message():
    ours, theirs = socket.socketpair()
    got: list[Any] = []
    inbound = Inbound(ours, properties=False, on_message=lambda *m: got.append(m))
    ours.setblocking(False)
    theirs.sendall(publish(("a", b"1", 1, False, False), None))
    theirs.close()
    inbound.read(5)
    inbound.read(5)
    assert len(got) == 1
    assert inbound.for_paho
    assert inbound.recv(1) == b""
    ours.close()


def test_paho_still_makes_its_socket_where_we_put_ours_in_between():
    assert callable(mqtt.Client._create_socket), "paho-mqtt has changed: see collector/link.py, _Client"
