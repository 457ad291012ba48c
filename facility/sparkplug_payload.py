"""The bytes of a Sparkplug B message: what its fields are, and the names and numbers that both ends know.

The field numbers are those of the Sparkplug specification (3.0, chapter 6). Protobuf's library does the work; what it
has to know stands here in Python, so that nothing generated lies in the tree. Data sets, templates and files are no
readings: they are declared as bytes, so that they are told apart and never unfolded.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

BD_SEQ: Final = "bdSeq"
REBIRTH: Final = "Node Control/Rebirth"
SEQ_ROUND: Final = 256  # seq and bdSeq run from 0 to 255

# A type's number is its place.
TYPES: Final = (
    "Unknown", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float", "Double", "Boolean",
    "String", "DateTime", "Text", "UUID", "DataSet", "Bytes", "File", "Template", "PropertySet", "PropertySetList",
    "Int8Array", "Int16Array", "Int32Array", "Int64Array", "UInt8Array", "UInt16Array", "UInt32Array", "UInt64Array",
    "FloatArray", "DoubleArray", "BooleanArray", "StringArray", "DateTimeArray",
)  # fmt: skip

_Field = descriptor_pb2.FieldDescriptorProto
_WIRE_TYPES: Final = {
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
            if word in _WIRE_TYPES:
                field.type = _WIRE_TYPES[word]
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
