"""From view model to page: one Jinja environment a language, everything escaped unless a template says otherwise."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.pages.words import translations, words_of
from facility.names import Language

TEMPLATES_FOLDER: Final = Path(__file__).parent.parent / "templates"
STATIC_FOLDER: Final = Path(__file__).parent.parent / "static"


@cache
def environment(language: Language) -> Environment:
    """Return the environment of a language; a name that a template does not get is an error, not an empty place."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
    made.globals["words"] = words_of(language)
    made.globals["version"] = version()
    return made


@cache
def version() -> str:
    """Return a name for what the pages consist of: it changes when a template, a style or a script does."""
    digest = hashlib.blake2b(digest_size=6)
    for file in sorted([*TEMPLATES_FOLDER.rglob("*.html"), *STATIC_FOLDER.iterdir()]):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def fill(language: Language, template: str, **values: Any) -> str:
    """Return a template filled in."""
    return environment(language).get_template(template).render({"patch": False, **values})
