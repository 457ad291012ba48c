"""The bytes of a Sparkplug B message: what its fields are, reading them, and the one command that we send.

The field numbers are those of the Sparkplug specification (3.0, chapter 6). Protobuf's library does the work; what it
has to know stands here in Python, so that nothing generated lies in the tree. Data sets, templates and files are no
readings: they are declared as bytes, so that they are told apart and never unfolded.
"""

from __future__ import annotations

import zlib
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from facility.errors import PayloadRejected

COMPRESSED: Final = "SPBV1.0_COMPRESSED"
BD_SEQ: Final = "bdSeq"
REBIRTH: Final = "Node Control/Rebirth"
MOST_METRICS: Final = 50_000
_GZIP_OR_ZLIB: Final = 47  # zlib's window bits for: look at the header which of the two it is
_BOOLEAN: Final = 11
_MOST_BD_SEQ: Final = 2**63 - 1  # the specification means 0 to 255

_Field = descriptor_pb2.FieldDescriptorProto
_TYPES: Final = {
    "bool": _Field.TYPE_BOOL,
    "bytes": _Field.TYPE_BYTES,
    "double": _Field.TYPE_DOUBLE,
    "float": _Field.TYPE_FLOAT,
    "string": _Field.TYPE_STRING,
    "uint32": _Field.TYPE_UINT32,
    "uint64": _Field.TYPE_UINT64,
}
# Each message: field name, number, type; `*` before a type: repeated; `?` after it: one of the value's forms.
_MESSAGES: Final = {
    "PropertyValue": (
        ("type", 1, "uint32"), ("is_null", 2, "bool"), ("int_value", 3, "uint32?"), ("long_value", 4, "uint64?"),
        ("float_value", 5, "float?"), ("double_value", 6, "double?"), ("boolean_value", 7, "bool?"),
        ("string_value", 8, "string?"),
    ),
    "PropertySet": (("keys", 1, "*string"), ("values", 2, "*PropertyValue")),
    "Metric": (
        ("name", 1, "string"), ("alias", 2, "uint64"), ("timestamp", 3, "uint64"), ("datatype", 4, "uint32"),
        ("is_historical", 5, "bool"), ("is_transient", 6, "bool"), ("is_null", 7, "bool"),
        ("properties", 9, "PropertySet"), ("int_value", 10, "uint32?"), ("long_value", 11, "uint64?"),
        ("float_value", 12, "float?"), ("double_value", 13, "double?"), ("boolean_value", 14, "bool?"),
        ("string_value", 15, "string?"), ("bytes_value", 16, "bytes?"), ("dataset_value", 17, "bytes?"),
        ("template_value", 18, "bytes?"), ("extension_value", 19, "bytes?"),
    ),
    "Payload": (
        ("timestamp", 1, "uint64"), ("metrics", 2, "*Metric"), ("seq", 3, "uint64"), ("uuid", 4, "string"),
        ("body", 5, "bytes"),
    ),
}  # fmt: skip


def _payload_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="wardwatt/sparkplug_b.proto", package="wardwatt", syntax="proto2")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field_name, number, kind in fields:
            word = kind.strip("*?")
            field = message.field.add(name=field_name, number=number)
            field.label = _Field.LABEL_REPEATED if kind.startswith("*") else _Field.LABEL_OPTIONAL
            if word in _TYPES:
                field.type = _TYPES[word]
            else:
                field.type, field.type_name = _Field.TYPE_MESSAGE, f".wardwatt.{word}"
            if kind.endswith("?"):
                if not message.oneof_decl:
                    message.oneof_decl.add(name="value")
                field.oneof_index = 0
    # A pool of its own: another library in the process may know Sparkplug too.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("wardwatt.Payload"))


Payload: Final[Any] = _payload_class()


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
