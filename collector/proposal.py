"""Proposed YAML for the site file, from what was seen of devices: for a person to edit, valid as it stands.

Names come from whoever publishes, so every text is quoted, and nothing from outside stands bare in a comment.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from collector.discovery import Device, Leftover
from collector.guessing import ClassGuess, KeyFacts, Match, guess_classes
from facility.equipment_classes import ClassLibrary
from facility.telemetry_file import PLACEHOLDERS, ProfileFile, load_profiles

LEAST_SCORE: Final = 0.2  # a class below this is not proposed
_MOST_LISTED: Final = 30
# Levels of topics that say what a message is, not of which machine.
_GENERIC: Final = frozenset(
    {"telemetry", "up", "data", "status", "state", "sensor", "json", "event", "events", "rpc", "tele", "report", "post",
     "property", "upload", "info", "attributes", "value", "values", "pub", "{point}", "rt", "realtime", "v1", "device"}
)  # fmt: skip
_BARE: Final = re.compile(r"^[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*$")
_RESERVED: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


@dataclass(frozen=True, slots=True)
class Proposed:
    """
    What is proposed for one device.

    Attributes
    ----------
    device : what was seen
    id : of the equipment, free in the site
    guesses : classes that fit, the best first; empty: nothing in the library is like it
    profile, profile_words : a ready mapping that fits, and what stands for its places
    room : of the site, if the topic names it; empty otherwise
    """

    device: Device
    id: str
    guesses: tuple[ClassGuess, ...]
    profile: ProfileFile | None = None
    profile_words: Mapping[str, str] | None = None
    room: str = ""

    @property
    def cls(self) -> str | None:
        """Return the class that is proposed, or None."""
        return self.guesses[0].cls.id if self.guesses else None

    @property
    def matches(self) -> tuple[Match, ...]:
        """Return which keys are taken for which points."""
        return self.guesses[0].matches if self.guesses else ()


def propose(
    devices: Sequence[Device],
    library: ClassLibrary,
    taken: Mapping[str, str] | None = None,
    rooms: Collection[str] = (),
) -> list[Proposed]:
    """
    Return a proposal for each device.

    Parameters
    ----------
    taken : the ids that the site has already, with their classes
    rooms : of the site
    """
    taken = taken or {}
    used = set(taken)
    proposals: list[Proposed] = []
    for device in devices:
        about = f"{device.topic} {device.where[1] if device.where else ''}"
        guesses: tuple[ClassGuess, ...] = ()
        fit: _Fit | None = None
        if device.keys and is_topic(device.topic):
            likely = {taken[name] for level in about.split("/") for name in _alike(level, taken)}
            fit = _profile_of(device)
            if fit is None:
                found = guess_classes(device.keys, library, about, likely=likely)
                guesses = tuple(g for g in found if g.score >= LEAST_SCORE)
            else:
                guesses = tuple(_classes_with(fit.points, device, library, likely)[:3])
        name = _free_id(device, used, fit)
        used.add(name)
        room = next((level for level in device.topic.split("/") if level in rooms), "")
        profile, words = (fit.profile, fit.words) if fit is not None and guesses else (None, None)
        proposals.append(Proposed(device, name, guesses, profile, words, room))
    return proposals


def _alike(level: str, names: Collection[str]) -> list[str]:
    bare = level.lower().rstrip("0123456789")
    return [name for name in names if len(bare) > 1 and name.rstrip("0123456789") == bare]


def is_topic(topic: str) -> bool:
    """Return True if a topic can stand in a site file: one with braces of its own cannot."""
    known = all(name in PLACEHOLDERS for name in re.findall(r"\{([^}]*)\}", topic.replace("{point}", "")))
    braces = topic.replace("{point}", "")
    return known and not set("{}+#\x00") & set(braces) and len(topic.encode("utf-8", "replace")) <= 65_535


def site_yaml(
    proposals: Sequence[Proposed], left: Leftover | None = None, *, about: str = "", head: bool = True
) -> str:
    """
    Return YAML with one entry under `equipment:` for each device whose class could be guessed.

    What was not understood stands in comments at the end.
    """
    good = [p for p in proposals if p.guesses]
    lines = (
        []
        if not head
        else [
            "# Proposed for the site file by what was seen on the broker. Everything here is a guess: look at class,",
            "# points and units, give each machine its room, name and rating, and then copy it into the site file.",
        ]
    )
    lines += [f"# {_comment(about, 160)}"] if about else []
    lines.append("equipment:" if good else "equipment: []")
    for proposal in good:
        lines += _equipment(proposal)
    rest = [p for p in proposals if not p.guesses]
    if rest:
        lines.append("# Nothing in the class library is like these:")
        for proposal in rest[:200]:
            keys = ", ".join(_comment(key, 40) for key in list(proposal.device.keys)[:_MOST_LISTED])
            why = "" if is_topic(proposal.device.topic) else " (its topic has braces, which a site file cannot name)"
            lines.append(f"#   {_comment(proposal.device.topic, 120)}{why}: {keys or 'no values'}")
        if len(rest) > 200:
            lines.append(f"#   and {len(rest) - 200:,} more")
    if left is not None and (left.messages or left.devices):
        lines.append(
            f"# Left out: {left.messages:,} messages that are too large or no JSON, {left.devices:,} messages of "
            f"topics beyond the bound; among them {', '.join(_comment(t, 60) for t in left.examples[:5])}"
        )
    return "\n".join(lines) + "\n"


def _equipment(proposal: Proposed) -> list[str]:
    best = proposal.guesses[0]
    next_best = proposal.guesses[1] if len(proposal.guesses) > 1 else None
    device = proposal.device
    runner_up = f"; next: {next_best.cls.id} {next_best.score:.2f}" if next_best else ""
    every = f", about every {device.every_s:.3g} s" if device.every_s else ""
    lines = [
        f"  # {device.messages:,} messages{every}",
        f"  - id: {quoted(proposal.id)}",
        f"    class: {best.cls.id}  # score {best.score:.2f}{runner_up}",
        f"    room: {quoted(proposal.room)}" if proposal.room else "    # room: ...  # of the site file",
        *telemetry_lines(proposal, "    "),
    ]
    matched = {m.point for m in best.matches}
    unseen = [n for n, spec in best.cls.points.items() if spec.kind != "derived" and n not in matched]
    if unseen:
        lines.append("    # Not seen; if the machine has none of them, say so, and nobody waits for them:")
        lines.append(f"    # points: {{{', '.join(f'{n}: {{absent: true}}' for n in unseen)}}}")
    return lines


def telemetry_lines(proposal: Proposed, indent: str) -> list[str]:
    """Return the `telemetry:` part of a proposal, with what was guessed in comments."""
    device = proposal.device
    lines = [f"{indent}telemetry:"]
    inner = indent + "  "
    if proposal.profile is not None:
        lines.append(f"{inner}profile: {proposal.profile.profile}  # {_comment(proposal.profile.name.en, 60)}")
        lines += [f"{inner}{name}: {quoted(word)}" for name, word in (proposal.profile_words or {}).items()]
        return lines
    if device.sparkplug is not None:
        group, node, name = (quoted(part, always=True) for part in device.sparkplug)
        lines += [f"{inner}format: sparkplug", f"{inner}group: {group}", f"{inner}node: {node}"]
        lines += [f"{inner}device: {name}"] if device.sparkplug[2] else []
    else:
        lines.append(f"{inner}topic: {quoted(device.topic, always=True)}")
        lines += [f"{inner}format: {device.format}"] if device.format != "json" else []
    if device.where is not None:
        lines.append(
            f"{inner}where: {{key: {quoted(device.where[0])}, equals: {quoted(device.where[1], always=True)}}}"
        )
    if device.samples:
        lines.append(f"{inner}samples: {quoted(device.samples)}")
    if device.rows is not None:
        inside, name, value = device.rows
        place = f"in: {quoted(inside)}, " if inside else ""
        lines.append(f"{inner}rows: {{{place}name: {quoted(name)}, value: {quoted(value)}}}")
    if device.time is not None:
        lines.append(f"{inner}time: {{key: {quoted(device.time[0])}, unit: {device.time[1]}}}")
    aside = [device.identity] if device.identity is not None and device.where is None else []
    aside += device.asides
    if aside:
        listed = ", ".join(quoted(key, always=True) for key in aside)
        lines.append(f"{inner}ignore: [{listed}]  # the device's own name, and units")
    lines.append(f"{inner}points:")
    lines += [f"{inner}  {line}" for line in point_lines(proposal.matches, device.keys)]
    matched = {m.key for m in proposal.matches}
    times = {key for key, _ in device.times}
    over = [key for key in device.keys if key not in matched and key not in times]
    if over:
        listed = ", ".join(quoted(key, always=True) for key in over[:_MOST_LISTED])
        more = f"  # and {len(over) - _MOST_LISTED} more" if len(over) > _MOST_LISTED else ""
        lines.append(f"{inner}# Left out, since no point of the class is like them; so that nobody asks about them:")
        lines.append(f"{inner}# ignore: [{listed}]{more}")
    return lines


def point_lines(matches: Sequence[Match], keys: Mapping[str, KeyFacts]) -> list[str]:
    """Return one line `point: key` for each match, with what was seen as a comment."""
    lines = []
    for match in matches:
        facts = keys[match.key]
        parts = [f"key: {quoted(match.key)}"]
        if match.unit is not None:
            parts.append(f"unit: {quoted(match.unit)}")
        if match.scale != 1.0:
            parts.append(f"scale: {match.scale:g}")
        if match.states:
            words = ", ".join(f"{quoted(word, always=True)}: {code}" for word, code in match.states.items())
            parts.append(f"states: {{{words}}}")
        value = f"{{{', '.join(parts)}}}" if len(parts) > 1 else quoted(match.key)
        doubt = f"; {_comment(match.doubt, 80)}" if match.doubt else ""
        sure = f", {match.score:.2f} sure" if match.score < 0.9 else ""
        lines.append(f"{match.point}: {value}  # {_seen(facts)}{sure}{doubt}")
    return lines


def quoted(text: str, *, always: bool = False) -> str:
    """Return text as a YAML scalar that reads back as it was; a plain word stands bare unless `always`."""
    if not always and _BARE.match(text) and text not in _RESERVED:
        return text
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(c: str) -> str:
    if c in '"\\':
        return "\\" + c
    if c.isprintable():
        return c
    code = ord(c)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _comment(text: str, most: int) -> str:
    """Return text for a comment: on one line, and no longer than that."""
    shown = "".join(c if c.isprintable() else "?" for c in text[:most])
    return shown + ("…" if len(text) > most else "")


def _seen(facts: KeyFacts) -> str:
    parts = []
    if facts.numbers:
        same = facts.low == facts.high
        parts.append(f"{facts.low:.6g}" if same else f"{facts.low:.6g} to {facts.high:.6g}")
    if facts.words:
        parts.append("words: " + ", ".join(_comment(word, 20) for word in facts.words[:5]))
    return "; ".join(parts) or "nothing but null"


def _free_id(device: Device, used: Collection[str], fit: _Fit | None) -> str:
    levels = [level for level in device.topic.split("/") if level]
    telling = [level for level in levels if level.lower() not in _GENERIC] or ["machine"]
    base = _slug(device.where[1]) if device.where else ""
    if fit is not None:
        base = _slug("-".join(fit.words.values()))
    base = base or next((slug for level in reversed(telling) if (slug := _slug(level))), "") or "machine"
    base = f"machine-{base}" if base.isdigit() else base
    if base not in used:
        return base
    longer = f"{_slug('-'.join(telling[-2:]))[:50]}".strip("-_") or base
    name, n = longer, 2
    while name in used:
        name, n = f"{longer[:55]}-{n}", n + 1
    return name


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:50].strip("-")


@dataclass(frozen=True, slots=True)
class _Fit:
    """A ready mapping that fits a device: what stands for its places, and the keys of its points that were seen."""

    profile: ProfileFile
    words: Mapping[str, str]
    points: Mapping[str, str]


def _profile_of(device: Device) -> _Fit | None:
    """Return the ready mapping whose topic this is and of whose keys most were seen; None if none fits."""
    best: _Fit | None = None
    share = 0.3
    for profile in load_profiles().values():
        words = _places(profile.topic, device.topic)
        # What tells devices on a shared topic apart is known better from what was seen.
        if words is None or profile.format != device.format or device.where is not None:
            continue
        usual = str(profile.channel) if profile.channel is not None else None
        words = ({"channel": usual} if usual is not None else {}) | words
        keys = {}
        for name, entry in profile.points.items():
            key = entry if isinstance(entry, str) else None if entry.topic else entry.key
            if key is not None:
                for place, word in words.items():
                    key = key.replace("{" + place + "}", word)
                keys[name] = key
        seen = {name: key for name, key in keys.items() if key in device.keys}
        fits = max(len(seen) / len(keys), 0.8 * len(seen) / len(device.keys)) if keys else 0.0
        if seen and fits >= share:
            share = fits
            best = _Fit(profile, {k: v for k, v in words.items() if k != "channel" or v != usual}, seen)
    return best


def _classes_with(
    points: Mapping[str, str], device: Device, library: ClassLibrary, likely: Collection[str]
) -> list[ClassGuess]:
    """Return the classes that have the points of a ready mapping, those first that have the most and little else."""
    found = []
    for cls in library.classes.values():
        own = {name: key for name, key in points.items() if name in cls.points and cls.points[name].kind != "derived"}
        measured = sum(p.kind != "derived" for p in cls.points.values())
        if own:
            score = 0.8 * len(own) / len(points) + 0.15 * len(own) / measured + 0.05 * (cls.id in likely)
            found.append(ClassGuess(cls, score, tuple(Match(key, name, 1.0) for name, key in own.items())))
    return sorted(found, key=lambda g: -g.score)


def _places(template: str, topic: str) -> dict[str, str] | None:
    pattern = "".join(
        f"(?P<{part[1:-1]}>[^/]+)" if part in ("{device}", "{channel}") else re.escape(part)
        for part in re.split(r"(\{device\}|\{channel\})", template)
    )
    try:
        found = re.fullmatch(pattern, topic)
    except re.error:  # a place that stands twice: the plain mapping will do
        return None
    return dict(found.groupdict()) if found else None
