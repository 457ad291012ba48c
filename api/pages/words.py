"""The words on the pages, in Chinese and English, from the catalogues in `api/locale`.

The catalogues are read as `.po` text when the service starts: a fresh clone needs no build step, and a translator sees
a change after a restart.
"""

from __future__ import annotations

import gettext
import io
from functools import cache
from pathlib import Path
from typing import Any, Final

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from facility.names import LANGUAGES, Language, Names

LOCALE_FOLDER: Final = Path(__file__).parent.parent / "locale"
DOMAIN: Final = "wardwatt"


def catalogue_file(language: Language) -> Path:
    """Return the catalogue of a language."""
    return LOCALE_FOLDER / language / "LC_MESSAGES" / f"{DOMAIN}.po"


@cache
def translations(language: Language) -> gettext.NullTranslations:
    """Read a language's catalogue, once a process."""
    with catalogue_file(language).open("rb") as file:
        catalogue = read_po(file, locale=language)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


class Words:
    """Says things in one language: `words("Since %(time)s", time="02:47")`."""

    def __init__(self, language: Language) -> None:
        self.language: Language = language
        self._said = translations(language)

    def __call__(self, message: str, **values: Any) -> str:
        """Return `message` in this language, with `%(name)s` filled in."""
        said = self._said.gettext(message)
        return said % values if values else said

    def in_context(self, context: str, message: str, **values: Any) -> str:
        """Return a message whose English alone is ambiguous, such as `Open` of an alert and of a valve."""
        said = self._said.pgettext(context, message)
        return said % values if values else said

    def plural(self, one: str, many: str, n: int, **values: Any) -> str:
        """Return the form for `n` things; `%(n)s` is the number, with thousands set off."""
        return self._said.ngettext(one, many, n) % {"n": f"{n:,}", **values}

    def name(self, names: Names) -> str:
        """Return a name from the site or a class file."""
        return names.in_(self.language)

    def either(self, zh: str, en: str) -> str:
        """Return the one of two texts, both of which were written when the record was made."""
        return zh if self.language == "zh" else en

    @property
    def html_lang(self) -> str:
        """Return the value of the page's `lang` attribute."""
        return "zh-CN" if self.language == "zh" else "en"


@cache
def words_of(language: Language) -> Words:
    """Return the words of a language."""
    return Words(language)


def as_language(text: str | None, accept: str | None = None) -> Language:
    """Return the language that a cookie names, else the first known one that the browser asks for, else Chinese."""
    if text in LANGUAGES:
        return text
    for part in (accept or "").lower().split(","):
        tag = part.split(";")[0].strip()[:2]
        if tag in LANGUAGES:
            return tag
    return "zh"
