"""Keeps the catalogues whole: collects every message from code and templates, and says what is not translated.

    python -m api.pages.catalogue          # add new messages to both catalogues, drop those that nothing says
    python -m api.pages.catalogue --check  # say what is missing, change nothing, exit 1 if anything is

English messages are their own text; the English catalogue differs only where one word has two meanings.
"""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po

from api.pages.templates import TEMPLATES_FOLDER
from api.pages.words import catalogue_file
from facility.names import LANGUAGES, Language

CODE_FOLDER: Final = Path(__file__).parent
_CODE_KEYWORDS: Final = {"words": None, "in_context": ((1, "c"), 2), "plural": (1, 2)}
_TEMPLATE_KEYWORDS: Final = {"_": None, "gettext": None, "pgettext": ((1, "c"), 2), "ngettext": (1, 2)}
_HALF_WIDTH: Final = re.compile(r"[\u4e00-\u9fff»）」]\s?[,;:!?()]|[,;:!?()]\s?[\u4e00-\u9fff]|[\u4e00-\u9fff]\.(?!\w)")


def collect() -> Catalog:
    """Return all messages of code and templates, in the order of their files."""
    found = Catalog()
    root = CODE_FOLDER.parent
    sources = [(f, "python", _CODE_KEYWORDS) for f in sorted(CODE_FOLDER.glob("*.py"))]
    sources += [(f, "jinja2", _TEMPLATE_KEYWORDS) for f in sorted(TEMPLATES_FOLDER.rglob("*.html"))]
    for file, method, keywords in sources:
        name = "jinja2.ext:babel_extract" if method == "jinja2" else "python"
        with file.open("rb") as stream:
            options = {"encoding": "utf-8", "newstyle_gettext": "true", "trimmed": "true"}
            for _, message, _, context in extract(name, stream, keywords, options=options):
                # Without line numbers: they would change with every edit and tell a translator nothing.
                found.add(message, locations=[(str(file.relative_to(root)), 0)], context=context)
    return found


def read(language: Language) -> Catalog:
    """Return a language's catalogue as it stands in its file, or an empty one."""
    file = catalogue_file(language)
    if not file.exists():
        return Catalog(locale=language)
    with file.open("rb") as stream:
        return read_po(stream, locale=language)


def _said(message: Message) -> tuple[str, ...]:
    said = message.string
    return tuple(said) if isinstance(said, tuple | list) else (said or "",)


def problems(language: Language) -> list[str]:
    """Return what a catalogue lacks, and where Chinese is written with half-width punctuation."""
    wanted, known = collect(), read(language)
    found: list[str] = []
    ids = {(m.context, m.id if isinstance(m.id, str) else m.id[0]) for m in wanted if m.id}
    for message in wanted:
        if not message.id:
            continue
        there = known.get(message.id, message.context)
        first = message.id if isinstance(message.id, str) else message.id[0]
        if there is None or not all(_said(there)):
            found.append(f"{language}: not translated: {first!r}")
            continue
        for said in _said(there):
            if set(re.findall(r"%\(\w+\)s", said)) - {"%(n)s"} != set(re.findall(r"%\(\w+\)s", first)) - {"%(n)s"}:
                found.append(f"{language}: other fields than {first!r}: {said!r}")
            if language == "zh" and _HALF_WIDTH.search(said):
                found.append(f"zh: half-width punctuation in {said!r}")
    for message in known:
        if message.id and (message.context, message.id if isinstance(message.id, str) else message.id[0]) not in ids:
            found.append(f"{language}: nothing says {message.id!r} any more")
    return found


def update(language: Language) -> None:
    """Bring a catalogue up to date with the code; Chinese that is not yet known is left empty."""
    wanted, known = collect(), read(language)
    made = Catalog(locale=language, project="Wardwatt", fuzzy=False, header_comment="# Words of Wardwatt's pages.")
    for message in sorted(
        (m for m in wanted if m.id), key=lambda m: (m.locations[0][0], str(m.id).lower(), m.context or "")
    ):
        there = known.get(message.id, message.context)
        said = there.string if there is not None and all(_said(there)) else None
        if said is None and language == "en":
            said = message.id
        made.add(message.id, said or "", locations=message.locations, context=message.context)
    # A date would make every run a change.
    made.creation_date = made.revision_date = datetime(2025, 1, 1, tzinfo=UTC)
    with catalogue_file(language).open("wb") as stream:
        write_po(stream, made, width=120, omit_header=False, include_lineno=False)


def main() -> int:
    """Run the command; return the exit status."""
    check = "--check" in sys.argv[1:]
    if not check:
        for language in LANGUAGES:
            update(language)
    found = [p for language in LANGUAGES for p in problems(language)]
    for problem in found:
        sys.stdout.write(f"{problem}\n")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
