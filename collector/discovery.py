"""What is on a broker that nobody has mapped: messages gathered by device, with the keys, ranges and times they have.

Bounded whatever is published: so many devices, keys and words; what comes beyond is counted and told.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any, Final

import orjson

from collector.check import EARLIEST_US, FUTURE_US, number_of, time_us
from collector.guessing import KeyFacts
from collector.sparkplug.metrics import property_of, value_of
from collector.sparkplug.payload import read_payload
from facility.errors import PayloadRejected
from facility.site import TimeUnit
from facility.sparkplug_names import data_topic, read_topic

MAX_DEVICES: Final = 2_000
MAX_KEYS: Final = 200  # of one device
MAX_ALL_KEYS: Final = 40_000
_MAX_TOPIC: Final = 1_024
_MAX_PAYLOAD: Final = 256 * 1024
_MAX_KEY: Final = 128
_MAX_WORDS: Final = 12
_MAX_WORD: Final = 40
_MAX_DEPTH: Final = 6
_MAX_PLACES: Final = 8  # of a list whose places are values of their own
_MAX_ROWS: Final = 2_000  # of one message
# Keys under which gateways put the time, the best first, in small letters; and those by which they tell devices apart.
_TIMES: Final = (
    "ts", "time", "timestamp", "t", "datetime", "date", "when", "dt", "_time", "time_stamp", "sendtime", "send_time",
    "collecttime", "collect_time", "collectiontime", "sampletime", "sample_time", "datatime", "data_time", "updatetime",
    "eventtime", "clock", "时间", "采集时间", "上报时间", "时间戳",
)  # fmt: skip
_IDS: Final = (
    "deviceid", "device_id", "devid", "dev_id", "devicecode", "devicename", "device_name", "device", "dev", "equipment",
    "equipid", "sn", "serial", "imei", "mac", "meterid", "meter_id", "meterno", "slave", "slaveid", "slave_id", "addr",
    "address", "设备编号", "设备", "表号",
)  # fmt: skip
_ROW_NAMES: Final = ("name", "key", "tag", "id", "code", "k", "n", "point", "pointid", "point_id", "item", "metric")
_ROW_VALUES: Final = ("value", "val", "v", "data")
_UNIT_KEYS: Final = ("unit", "units", "uom", "单位")
_UNITS: Final[tuple[TimeUnit, ...]] = ("s", "ms", "us")


@dataclass(slots=True)
class Device:
    """
    Everything that was seen of one device.

    Attributes
    ----------
    topic : where it publishes; in a plain device `{point}` stands for the last level
    format : `json`, `plain` or `sparkplug`
    where : key and word that tell its messages from those of others on the topic; None: the topic is its own
    samples : key of the list in which its samples come, "" for a payload that is the list; None: no list
    rows : key of the list of rows, and the columns of name and value; None: no rows
    keys : what its keys carry, dotted as in the site file
    times : how often each key carried a believable time, with its unit
    messages, first_us, last_us : how many came, and when [µs UTC]
    left_out : keys beyond the bound
    identity : key under which the device names itself
    sparkplug : group, node and device ("": the node itself) of a Sparkplug device
    asides : keys that name a unit
    """

    topic: str
    format: str
    where: tuple[str, str] | None = None
    samples: str | None = None
    rows: tuple[str, str, str] | None = None
    keys: dict[str, KeyFacts] = field(default_factory=dict)
    times: Counter[tuple[str, TimeUnit]] = field(default_factory=Counter)
    messages: int = 0
    first_us: int = 0
    last_us: int = 0
    left_out: int = 0
    identity: str | None = None
    sparkplug: tuple[str, str, str] | None = None
    asides: dict[str, None] = field(default_factory=dict)

    @property
    def every_s(self) -> float | None:
        """Return about how long lies between two messages; None after a single one. [s]"""
        return (self.last_us - self.first_us) / 1e6 / (self.messages - 1) if self.messages > 1 else None

    @property
    def time(self) -> tuple[str, TimeUnit] | None:
        """Return the key that carries the time, and its unit; None if none does in most messages."""
        best = max(self.times.items(), key=lambda item: (item[1], -_rank(item[0][0])), default=None)
        return best[0] if best is not None and 2 * best[1] >= self.messages else None


@dataclass(slots=True)
class Leftover:
    """What was not taken in: messages too large or not to be read, and topics and keys beyond the bounds."""

    messages: int = 0
    devices: int = 0
    examples: list[str] = field(default_factory=list)

    def tell(self, topic: str) -> None:
        """Note one topic of which something was left out."""
        if len(self.examples) < 20 and topic[:80] not in self.examples:
            self.examples.append(topic[:80])


class Sightings:
    """Gathers messages by device. One thread only."""

    def __init__(self, *, max_devices: int = MAX_DEVICES, max_keys: int = MAX_ALL_KEYS) -> None:
        self._max_devices = max_devices
        self._room = max_keys
        self._found: dict[tuple[str, str, str], Device] = {}
        self.left = Leftover()
        self.messages = 0

    def add(self, topic: str, payload: bytes, arrival_us: int) -> None:
        """Take in one message; never raises for what it holds."""
        self.messages += 1
        if len(topic) > _MAX_TOPIC or len(payload) > _MAX_PAYLOAD or not payload.strip() or topic.startswith("$"):
            self._leave(topic)
            return
        if topic.startswith("spBv1.0/"):
            self._sparkplug(topic, payload, arrival_us)
            return
        try:
            data = orjson.loads(payload)
        except orjson.JSONDecodeError:
            try:
                data = payload.decode("utf-8").strip()
            except UnicodeDecodeError:
                self._leave(topic)
                return
            if not _is_plain(data):
                self._leave(topic)
                return
        if isinstance(data, dict):
            self._object(topic, data, arrival_us)
        elif isinstance(data, list):
            self._samples(topic, "", {}, data, arrival_us)
        else:
            self._plain(topic, data, arrival_us)

    def devices(self) -> list[Device]:
        """Return what was seen, sorted by topic; a device whose topic is its own needs nothing to tell it apart."""
        found = sorted(self._found.values(), key=lambda d: (d.topic, d.where or ("", "")))
        of_topic = Counter(device.topic for device in found)
        for device in found:
            if of_topic[device.topic] == 1:
                device.where = None
        return found

    def _leave(self, topic: str) -> None:
        self.left.messages += 1
        self.left.tell(topic)

    def _device(self, topic: str, form: str, where: tuple[str, str] | None, arrival_us: int) -> Device | None:
        key = (topic, form, where[1] if where else "")
        device = self._found.get(key)
        if device is None:
            if len(self._found) >= self._max_devices:
                self.left.devices += 1
                self.left.tell(topic)
                return None
            device = self._found[key] = Device(topic, form, where, first_us=arrival_us)
            device.identity = where[0] if where else None
        device.messages += 1
        device.last_us = max(device.last_us, arrival_us)
        return device

    def _sparkplug(self, topic: str, payload: bytes, arrival_us: int) -> None:
        """Take in a birth, which names its metrics; data that name none but by alias tell nothing here."""
        parts = read_topic(topic)
        if parts is None or parts.kind not in ("NBIRTH", "DBIRTH"):
            return
        try:
            birth = read_payload(payload, _MAX_PAYLOAD)
        except PayloadRejected:
            self._leave(topic)
            return
        named = data_topic(parts.group, parts.node, parts.device or None)
        device = self._device(named, "sparkplug", None, arrival_us)
        if device is None:
            return
        device.sparkplug = (parts.group, parts.node, parts.device)
        for metric in birth.metrics:
            # What a node says of itself is no reading of the plant.
            if metric.name and metric.name != "bdSeq" and not metric.name.startswith("Node Control/"):
                unit = property_of(metric, "engUnit")
                self._note(device, metric.name, value_of(metric, metric.datatype), str(unit)[:12] if unit else None)

    def _plain(self, topic: str, data: Any, arrival_us: int) -> None:
        parent, slash, last = topic.rpartition("/")
        device = self._device(f"{parent}{slash}{{point}}", "plain", None, arrival_us)
        if device is not None and "{" not in parent:
            self._note(device, last, data)

    def _object(self, topic: str, data: dict[str, Any], arrival_us: int) -> None:
        rows = _rows_in(data)
        if rows is not None:
            inside, name, value = rows
            device = self._device(topic, "json", _identity(data), arrival_us)
            if device is not None:
                device.rows = rows
                self._time(device, data, arrival_us)
                for row in _at(data, inside)[:_MAX_ROWS]:
                    if isinstance(row, dict) and isinstance(row.get(name), str | int):
                        self._note(device, str(row[name]), row.get(value))
            return
        for key, inner in data.items():
            if isinstance(inner, list) and inner and all(isinstance(s, dict) for s in inner) and _time_key(inner[0]):
                self._samples(topic, key, data, inner, arrival_us)
                return
        device = self._device(topic, "json", _identity(data), arrival_us)
        if device is not None:
            self._take(device, data, arrival_us)

    def _samples(self, topic: str, key: str, around: dict[str, Any], samples: list[Any], arrival_us: int) -> None:
        rows = _rows_in({"": samples}) if not key else None
        if rows is not None:
            device = self._device(topic, "json", None, arrival_us)
            if device is not None:
                device.rows = rows
                for row in samples[:_MAX_ROWS]:
                    if isinstance(row, dict) and isinstance(row.get(rows[1]), str | int):
                        self._note(device, str(row[rows[1]]), row.get(rows[2]))
            return
        taken = [s for s in samples[:_MAX_ROWS] if isinstance(s, dict)]
        if not taken:
            self._leave(topic)
            return
        for sample in taken:
            device = self._device(topic, "json", _identity(sample) or _identity(around), arrival_us)
            if device is not None:
                device.samples = key
                self._take(device, sample, arrival_us)

    def _take(self, device: Device, data: dict[str, Any], arrival_us: int) -> None:
        self._time(device, data, arrival_us)
        units = dict(_units(data))
        for key, value in _flat(data):
            last = re.split(r"[.]", key)[-1].lower()
            if last in _UNIT_KEYS:
                if len(device.asides) < MAX_KEYS and 0 < len(key) <= _MAX_KEY:
                    device.asides[key] = None
            elif key != device.identity:
                self._note(device, key, value, units.get(key))

    def _time(self, device: Device, data: dict[str, Any], arrival_us: int) -> None:
        for key, value in _flat(data):
            if re.split(r"[.]", key)[-1].lower() in _TIMES and (unit := _time_unit(value, arrival_us)) is not None:
                device.times[key, unit] += 1

    def _note(self, device: Device, key: str, value: Any, unit: str | None = None) -> None:
        if value is None or isinstance(value, dict | list) or not key or len(key) > _MAX_KEY:
            return
        facts = device.keys.get(key)
        if facts is None:
            if len(device.keys) >= MAX_KEYS or self._room <= 0:
                device.left_out += 1
                return
            self._room -= 1
            facts = device.keys[key] = KeyFacts()
        if unit is not None:
            facts.unit = unit
        if isinstance(value, bool):
            facts.truths = True
            facts.add(float(value))
        elif isinstance(value, int | float):
            number = float(value) if abs(value) < 1e300 else math.inf
            if math.isfinite(number):
                facts.add(number)
        elif isinstance(value, str):
            read = number_of(value)
            if read is not None and math.isfinite(read):
                facts.add(read)
            elif len(facts.words) < _MAX_WORDS and (word := value.strip()[:_MAX_WORD]) not in facts.words and word:
                facts.words.append(word)


def _is_plain(text: str) -> bool:
    return len(text) <= _MAX_WORD and "\n" not in text and not text.startswith(("{", "[", "<"))


def _rank(key: str) -> int:
    last = key.rpartition(".")[2].lower()
    return _TIMES.index(last) if last in _TIMES else len(_TIMES)


def _time_key(sample: Mapping[str, Any]) -> str | None:
    return next((key for key in sample if key.lower() in _TIMES), None)


def _identity(data: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the key and the word that name the device, best known first."""
    by_name = {key.lower(): key for key in data}
    for name in _IDS:
        key = by_name.get(name)
        if key is not None and isinstance(data[key], str | int) and not isinstance(data[key], bool):
            word = str(data[key]).strip()
            if 0 < len(word) <= 64:
                return key, word
    return None


def _rows_in(data: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Return the key of a list of rows that each name a value, and its columns."""
    for key, rows in _lists(data):
        first = rows[0]
        columns = {str(name).lower(): name for name in first}
        name = next((columns[n] for n in _ROW_NAMES if n in columns), None)
        value = next((columns[v] for v in _ROW_VALUES if v in columns), None)
        if name is None or value is None or isinstance(first.get(value), dict | list):
            continue
        names = [row.get(name) for row in rows if isinstance(row, dict)]
        # Rows name different values; samples of one device would repeat the name.
        if len(rows) == 1 or len(set(map(str, names))) > len(names) // 2:
            return key, name, value
    return None


def _lists(data: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for key, inner in data.items():
        if isinstance(inner, list) and inner and isinstance(inner[0], dict):
            yield prefix + key, inner
        elif isinstance(inner, dict) and depth < _MAX_DEPTH:
            yield from _lists(inner, f"{prefix}{key}.", depth + 1)


def _at(data: Mapping[str, Any], path: str) -> list[Any]:
    node: Any = data
    for step in path.split("."):
        node = node.get(step) if isinstance(node, dict) else None
    return node if isinstance(node, list) else []


def _flat(data: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    for key, value in data.items():
        if isinstance(value, dict) and depth < _MAX_DEPTH:
            yield from _flat(value, f"{prefix}{key}.", depth + 1)
        elif isinstance(value, list) and 0 < len(value) <= _MAX_PLACES:
            # A value for each phase, perhaps: named by its place.
            yield from ((f"{prefix}{key}.{i}", one) for i, one in enumerate(value))
        else:
            yield prefix + key, value


def _units(data: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield (key of a value, unit) where an object holds both, as in `{"voltage": {"value": 231, "unit": "V"}}`."""
    named = next((v for k, v in data.items() if k.lower() in _UNIT_KEYS and isinstance(v, str)), None)
    for key, value in data.items():
        if isinstance(value, dict) and depth < _MAX_DEPTH:
            yield from _units(value, f"{prefix}{key}.", depth + 1)
        elif named is not None and key.lower() in _ROW_VALUES:
            yield prefix + key, named.strip()[:12]


def _time_unit(value: Any, arrival_us: int) -> TimeUnit | None:
    """Return in which unit a value is a believable time; None if in none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = isinstance(value, str) and number_of(value) is None
    for unit in ("iso",) if text else _UNITS:
        try:
            at = time_us(value, unit, UTC)
        except (PayloadRejected, OverflowError, ValueError):
            continue
        # A zone that nobody names may shift it by half a day.
        slack = 14 * 3600 * 1_000_000 if text else FUTURE_US
        if EARLIEST_US <= at <= arrival_us + slack:
            return unit
    return None


def gathered(messages: Iterable[tuple[str, bytes, int]]) -> Sightings:
    """Return the sightings of messages (topic, payload, arrival [µs UTC])."""
    sightings = Sightings()
    for topic, payload, arrival_us in messages:
        sightings.add(topic, payload, arrival_us)
    return sightings
