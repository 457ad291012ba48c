"""Reading the bytes of a Sparkplug B message, and the one command that we send."""

from __future__ import annotations

import zlib
from typing import Any, Final

from google.protobuf.message import DecodeError

from facility.errors import PayloadRejected
from facility.sparkplug_payload import BD_SEQ, REBIRTH, TYPES, Payload

COMPRESSED: Final = "SPBV1.0_COMPRESSED"
MOST_METRICS: Final = 50_000
_GZIP_OR_ZLIB: Final = 47  # zlib's window bits for: look at the header which of the two it is
_BOOLEAN: Final = TYPES.index("Boolean")
_MOST_BD_SEQ: Final = 2**63 - 1  # the specification means 0 to 255


def read_payload(data: bytes, most_bytes: int) -> Any:
    """
    Read a message, compressed or not.

    Parameters
    ----------
    data : the MQTT payload
    most_bytes : a compressed message may unfold to so much [bytes]

    Raises
    ------
    PayloadRejected
        `broken-sparkplug` or `payload-too-large`.
    """
    payload = _parsed(data)
    if payload.uuid == COMPRESSED:
        payload = _parsed(_unfolded(payload.body, most_bytes))
    if len(payload.metrics) > MOST_METRICS:
        raise PayloadRejected(
            "payload-too-large",
            f"the message has {len(payload.metrics):,} metrics, more than the {MOST_METRICS:,} allowed; "
            "let the gateway split them over several devices",
        )
    return payload


def _parsed(data: bytes) -> Any:
    try:
        payload = Payload.FromString(data)
        payload.uuid  # noqa: B018 - text that is not UTF-8 is found out by reading it
    except (DecodeError, UnicodeDecodeError):
        raise broken("the payload is no Sparkplug B message") from None
    return payload


def broken(what: str) -> PayloadRejected:
    """Return the refusal of a message that does not keep to Sparkplug."""
    return PayloadRejected(
        "broken-sparkplug", f"{what}; correct the gateway, or keep other messages out of topics that begin with spBv1.0"
    )


def _unfolded(body: bytes, most_bytes: int) -> bytes:
    unfold = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        data = unfold.decompress(body, most_bytes + 1)
    except zlib.error as error:
        raise broken(f"the compressed message cannot be unfolded ({error})") from None
    if len(data) > most_bytes:
        raise PayloadRejected(
            "payload-too-large",
            f"the message unfolds to more than the {most_bytes:,} bytes allowed; let the gateway send smaller messages",
        )
    if not unfold.eof:
        raise broken("the compressed message ends too early")
    return data


def rebirth_command(now_us: int) -> bytes:
    """Return the payload of the command that asks an edge node for all its births."""
    command = Payload(timestamp=now_us // 1000)
    command.metrics.add(name=REBIRTH, timestamp=now_us // 1000, datatype=_BOOLEAN, boolean_value=True)
    return bytes(command.SerializeToString())


def bd_seq_of(payload: Any) -> int | None:
    """Return the number that ties a node's death to its birth; None if the message has none that could be kept."""
    for metric in payload.metrics:
        if metric.name == BD_SEQ:
            found = metric.WhichOneof("value")
            if found in ("int_value", "long_value"):
                number = int(getattr(metric, found))
                return number if number <= _MOST_BD_SEQ else None
    return None
