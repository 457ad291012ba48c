"""What is wrong with a message, and what to do about it, in the reader's language: from codes, not from sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.pages.words import Words
from api.printable import printable
from collector.mending import Mend
from facility.formats import duration, number


def reason_words(reason: str, words: Words) -> tuple[str, str]:
    """Return what a reason is called and what to do about it; an unknown one stands as it is."""
    return {
        "broken-json": (
            words("Broken JSON"),
            words("Look where the text breaks off; correct what the gateway sends, or its message size."),
        ),
        "unknown-topic": (
            words("Unknown topic"),
            words("Add the equipment or a topic pattern to the site file, or stop the gateway from sending it."),
        ),
        "unknown-key": (
            words("Unknown value"),
            words("Name the key under telemetry.points of the equipment, or leave it out at the gateway."),
        ),
        "duplicate-key": (words("A value twice"), words("Let the gateway send each value once a message.")),
        "not-a-number": (
            words("Text where a number belongs"),
            words("Correct the gateway, or give the point states: words for what it sends."),
        ),
        "not-an-object": (
            words("Not an object"),
            words("Let the gateway send an object of keys and values, or set format: plain for this topic."),
        ),
        "no-values": (words("No values"), words("Look why the gateway sends messages without values.")),
        "empty-payload": (words("Empty message"), words("Look why the gateway sends empty messages.")),
        "time-implausible": (
            words("Implausible time"),
            words("Set the gateway's clock and time zone, or correct time.unit in the site file."),
        ),
        "time-unreadable": (
            words("Unreadable time"),
            words("Correct the gateway, or name the right key as time.key in the site file."),
        ),
        "payload-too-large": (
            words("Message too large"),
            words("Let the gateway send smaller messages, or find out who sends files here."),
        ),
        "not-utf8": (words("Not UTF-8 text"), words("Let the gateway send JSON or plain text in UTF-8.")),
        "too-deep": (words("Nested too deep"), words("Let the gateway send flat JSON.")),
        "too-many": (words("Too many values at once"), words("Let the gateway send less in one message.")),
        "no-list": (
            words("No list where one belongs"),
            words("Correct samples: or rows: in the site file, or what the gateway sends."),
        ),
        "no-name": (
            words("A row without a name"),
            words("Correct the column name under rows: in the site file, or what the gateway sends."),
        ),
        "uneven-columns": (
            words("Lists of different lengths"),
            words("Correct the gateway: times and values must be as many."),
        ),
        "no-time": (
            words("One point several times, without a time"),
            words("Let the gateway send a time with each value, or correct time.key in the site file."),
        ),
        "no-device": (
            words("No word that says which machine"),
            words("Correct the gateway, or the key under where: in the site file."),
        ),
        "unknown-device": (
            words("Unknown machine on a shared topic"),
            words("Add the machine to the site file with its word under where: equals."),
        ),
        "bad-quality": (
            words("Bad by the gateway's own word"),
            words("Look at the sensor and its bus; if the word means good here, name it under quality: good."),
        ),
        "broken-sparkplug": (
            words("No Sparkplug message"),
            words("Correct the gateway, or keep other messages out of topics that begin with spBv1.0."),
        ),
        "sparkplug-no-birth": (
            words("Sparkplug values without their birth"),
            words("See that the node takes the rebirth command, and that the broker lets us publish it."),
        ),
        "sparkplug-bad-quality": (
            words("Bad by the Sparkplug device's own word"),
            words("Look at the device's sensor or bus."),
        ),
        "sparkplug-unit": (
            words("A Sparkplug birth names another unit"),
            words("Write unit: at the point's mapping; until then the values are stored as they come."),
        ),
        "sparkplug-retained": (
            words("A Sparkplug message that the broker had kept"),
            words("Let the gateway publish without retain."),
        ),
        "refused-by-store": (
            words("Refused by the store"),
            words("Another program writes this point in its own way: give Wardwatt a database of its own."),
        ),
        "internal-fault": (
            words("Wardwatt could not process it"),
            words("Keep the payload and report it with the service's log: this is a fault of ours."),
        ),
    }.get(reason, (reason, ""))  # fmt: skip


def what_is_wrong(facts: Mapping[str, Any] | None, words: Words) -> str | None:
    """Return what is wrong with a message in one sentence; None for a row that was written without its facts."""
    if not facts:
        return None
    p = {name: _shown(value) for name, value in facts.items()}
    match p.get("case"):
        case "no-pattern":
            return words("No machine and no pattern in the site file has this topic.")
        case "no-equipment":
            return words("The site file has no equipment %(equipment)s.", equipment=p["equipment"])
        case "other-place":
            return words(
                "%(equipment)s stands in %(right)s, not in %(wrong)s: the topic or the site file is wrong.",
                equipment=p["equipment"], right=p["right"], wrong=p["wrong"],
            )  # fmt: skip
        case "no-point":
            return words("%(equipment)s has no point %(point)s.", equipment=p["equipment"], point=p["point"])
        case "unmapped":
            return words("No point is mapped to %(keys)s. All other values of the message are stored.", keys=p["keys"])
        case "no-number":
            known = words(" Known words are %(words)s.", words=p["words"]) if p.get("words") else ""
            if not p.get("key"):
                return words("The message is %(value)s, where a number belongs.", value=p["value"]) + known
            return words("%(key)s is %(value)s, where a number belongs.", key=p["key"], value=p["value"]) + known
        case "no-bits":
            return words(
                "%(key)s is %(value)s, where a whole number with bits belongs.", key=p["key"], value=p["value"]
            )
        case "no-device":
            return words("%(key)s is missing, which tells the machines on this topic apart.", key=p["key"])
        case "unknown-device":
            return words(
                "%(key)s is %(value)s: no machine of the site file has this word; known are %(words)s.",
                key=p["key"], value=p["value"], words=p["words"],
            )  # fmt: skip
        case "bad-quality":
            return words("The gateway itself says %(value)s of it, so it is no reading.", value=p["value"])
        case "twice":
            return words("%(key)s stands twice in the message; neither is believed.", key=p["key"])
        case "broken":
            return words("The text breaks off or is no JSON at byte %(at)s.", at=p["at"])
        case "no-object":
            return words("The message is bare %(kind)s, not an object of keys and values.", kind=p["kind"])
        case "early":
            return words("The time %(time)s lies before 2000: the clock was never set.", time=p["time"])
        case "ahead":
            return words(
                "The time %(time)s lies %(ahead)s ahead of our clock.",
                time=p["time"],
                ahead=_minutes(facts["minutes"], words),
            )
        case "no-time":
            return words("%(value)s cannot be read as a time.", value=p["value"])
        case "too-large":
            return words("The message has %(size)s bytes; %(limit)s are allowed.", size=p["size"], limit=p["limit"])
        case "not-utf8":
            return words("Byte %(at)s of the message is not UTF-8.", at=p["at"])
    return None


def _minutes(minutes: Any, words: Words) -> str:
    """Return a length of time that a refusal names in minutes."""
    return duration(round(float(minutes) * 60e6), words.language)


def mend_words(mend: Mend, words: Words) -> str:
    """Return what a proposed mend does, in one sentence."""
    name = mend.equipment
    return {
        "add-machine": words("If this is a machine of yours, add it to the site file. The class is a guess."),
        "move-topic": words(
            "This looks like %(name)s. Give it this topic, or let the gateway publish on its own.", name=name
        ),
        "map-keys": words("Name these keys in the entry of %(name)s, or say that they are left out.", name=name),
        "name-states": words("Say in the entry of %(name)s what these words stand for.", name=name),
        "set-time": words("Say in the entry of %(name)s where the time stands and in which unit.", name=name),
        "set-zone": words("The clock of %(name)s says UTC without naming it. Say so.", name=name),
        "plain-value": words("%(name)s sends one bare value a message. Say so.", name=name),
    }[mend.kind]  # fmt: skip


def _shown(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return printable(str(value))[:200]
    return number(float(value), 0)
