"""Hostile messages without end, the same for the same seed: what broken, confused and malicious publishers send."""

import json
import random
import string
import struct
from collections.abc import Iterator

SITE = """
site: {id: fuzz, name: {zh: 模糊测试, en: Fuzz}, time_zone: Asia/Shanghai}
sparkplug: {host_id: fuzz-host}
rooms:
  - {id: power-1, kind: power_room, name: {zh: 配电房, en: Power room}}
equipment:
  - {id: f1, class: lv_feeder, room: power-1, rating: {current: 400 A}, name: {zh: 馈线一, en: Feeder 1}}
  - id: nested
    class: lv_feeder
    room: power-1
    rating: {current: 400 A}
    name: {zh: 嵌套, en: Nested}
    telemetry:
      topic: field/nested
      format: json
      time: {key: data.when, unit: auto}
      points: {voltage_a: data.phase.ua, current_a: {key: data.ia, scale: 0.01}, breaker_closed: data.cb}
  - id: plain
    class: lv_feeder
    room: power-1
    rating: {current: 400 A}
    name: {zh: 单值, en: Plain}
    telemetry: {topic: "field/meter/{point}", format: plain, points: {voltage_a: U1}}
  - id: spark
    class: lv_feeder
    room: power-1
    rating: {current: 400 A}
    name: {zh: 火花, en: Spark}
    telemetry: {format: sparkplug, group: plant, node: edge, device: dev, points: {voltage_a: "Electrical/Ua"}}
"""

_TOPICS = ("fuzz/power-1/f1/telemetry", "fuzz/power-1/f1/voltage_a", "field/nested", "field/meter/U1",
           "spBv1.0/plant/NBIRTH/edge", "spBv1.0/plant/DBIRTH/edge/dev", "spBv1.0/plant/DDATA/edge/dev",
           "spBv1.0/plant/NDATA/edge", "spBv1.0/plant/NDEATH/edge", "spBv1.0/plant/DDEATH/edge/dev")  # fmt: skip
_ODD = ("", "nan", "NaN", "inf", "-inf", "1e999", "0x1F", "1_000", "１２", "٣", "true", "null", "\u0000",
        "\ud83d\ude00", "'; DROP TABLE quarantine; --", "<script>alert(1)</script>", "{{7*7}}", "%s%n",
        "../../etc/passwd", "a" * 5000)  # fmt: skip
# No wildcards, no control characters, less than 200 levels: mosquitto refuses them.
# No wildcards, no control characters, and less than 200 levels: mosquitto refuses all others.
_PRINTABLE = (string.ascii_letters + string.digits + string.punctuation + " ").translate({35: "", 43: ""})
_LEVELS = ("", " ", "power-1", "f1", "nobody", "电", "x" * 200)
_SPARK_LEVELS = ("plant", "NDATA", "DDATA", "XDATA", "edge", "dev", "")
_METRIC = b"\x0a\x0dElectrical/Ua\x20\x0a\x69" + struct.pack("<d", 1.5)
_FIELDS = ((1, 0), (2, 2), (2, 2), (3, 0), (4, 2), (5, 2))
_NUMBERS = (0, -0.0, 1, -1, 2**31, 2**63, 2**64, -(2**63), 10**400, 1e308, -1e308, 5e-324, 1.5, True, False, None)
_KEYS = (
    "ts",
    "voltage_a",
    "voltage_b",
    "data",
    "phase",
    "ua",
    "when",
    "ia",
    "cb",
    "time",
    "t",
    "a.b",
    "",
    "ключ",
    "电压",
)


def messages(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Yield so many (topic, payload); topics are such as a broker lets through."""
    rng = random.Random(seed)
    for _ in range(count):
        yield _topic(rng), rng.choice(_PAYLOADS)(rng)


def _topic(rng: random.Random) -> str:
    if rng.random() < 0.8:
        return rng.choice(_TOPICS)
    kind = rng.randrange(5)
    if kind == 0:
        return rng.choice(_TOPICS) + "/" + "".join(rng.choices(_PRINTABLE, k=5))
    if kind == 1:
        return "fuzz/" + "/".join(rng.choices(_LEVELS, k=rng.randrange(1, 9)))
    if kind == 2:
        return "field/meter/" + rng.choice(("U2", "u1", " U1", "{point}", "U1/U1", ""))
    if kind == 3:
        return "spBv1.0/" + "/".join(rng.choices(_SPARK_LEVELS, k=rng.randrange(1, 6)))
    return "fuzz/" + "y/" * rng.randrange(1, 190)


def _value(rng: random.Random, depth: int = 0) -> object:
    kind = rng.randrange(10)
    if kind < 4:
        return rng.choice(_NUMBERS)
    if kind < 6:
        return rng.choice(_ODD)
    if kind == 6:
        return rng.uniform(-1e6, 1e6)
    if depth > 4:
        return []
    if kind == 7:
        return [_value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {rng.choice(_KEYS): _value(rng, depth + 1) for _ in range(rng.randrange(5))}


def _json(rng: random.Random) -> bytes:
    return json.dumps(_value(rng)).encode("utf-8", "surrogatepass")


def _object(rng: random.Random) -> bytes:
    return json.dumps({rng.choice(_KEYS): _value(rng) for _ in range(rng.randrange(1, 8))}).encode()


def _sound(rng: random.Random) -> bytes:
    return json.dumps({"ts": 1_772_424_000_000 + rng.randrange(10**9), "voltage_a": rng.uniform(0, 300)}).encode()


def _broken(rng: random.Random) -> bytes:
    text = bytearray(_object(rng))
    for _ in range(rng.randrange(1, 4)):
        if text:
            at = rng.randrange(len(text))
            if rng.random() < 0.5:
                text[at] = rng.randrange(256)
            else:
                del text[at:]
    return bytes(text)


def _deep(rng: random.Random) -> bytes:
    opener = rng.choice((b"[", b'{"a":', b'{"data":'))
    return opener * rng.randrange(1, 3000)


def _wide(rng: random.Random) -> bytes:
    return b"{" + b",".join(b'"k%d":%d' % (rng.randrange(10**6), i) for i in range(rng.randrange(1, 400))) + b"}"


def _noise(rng: random.Random) -> bytes:
    return rng.randbytes(rng.randrange(0, 300))


def _bare(rng: random.Random) -> bytes:
    return str(rng.choice((*_ODD, *map(str, _NUMBERS), rng.uniform(0, 300)))).encode("utf-8", "replace")


def _sparkplug(rng: random.Random) -> bytes:
    """Return a payload of Sparkplug's shape, with fields of any number, type and length."""
    out = bytearray()
    for _ in range(rng.randrange(1, 6)):
        number, wire = rng.choice(
            ((1, 0), (2, 2), (2, 2), (3, 0), (4, 2), (5, 2), (rng.randrange(1, 40), rng.randrange(8)))
        )
        out += bytes(((number << 3 | wire) & 255,))
        if wire == 0:
            out += _varint(rng.choice((0, 1, 255, 256, 2**63, 1_772_424_000_000)))
        elif wire == 2:
            inner = (
                _noise(rng)[:60]
                if rng.random() < 0.5
                else b"\x0a\x0dElectrical/Ua\x20\x0a" + b"\x69" + struct.pack("<d", 1.5)
            )
            out += _varint(len(inner) if rng.random() < 0.9 else rng.randrange(10**6)) + inner
        else:
            out += rng.randbytes(8)
    return bytes(out)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


_PAYLOADS = (_json, _object, _object, _sound, _broken, _broken, _deep, _wide, _noise, _bare, _sparkplug)
