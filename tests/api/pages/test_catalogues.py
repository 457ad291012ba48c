"""Both catalogues are whole, and the style keeps what the look promises."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from api.pages.catalogue import problems
from api.pages.words import as_language, words_of
from facility.names import LANGUAGES, Language


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_is_translated_and_none_is_left_over(language: Language) -> None:
    assert problems(language) == []


def test_a_message_fills_in_its_fields_in_the_order_of_its_language() -> None:
    values = {"place": "A", "time": "02:47", "age": "1 min"}
    message = "%(place)s · since %(time)s, %(age)s"
    assert words_of("en")(message, **values) == "A · since 02:47, 1 min"
    assert words_of("zh")(message, **values) == "A · 02:47 起，已 1 min"


def test_a_word_with_two_meanings_is_told_apart_by_its_context() -> None:
    assert words_of("zh").in_context("tickets", "Closed") == "已关闭"
    assert words_of("zh")("Close") == "关闭"


@pytest.mark.parametrize(
    ("cookie", "accept", "language"),
    [
        ("en", "zh-CN", "en"),
        (None, "en-GB,en;q=0.9", "en"),
        (None, "fr-FR, en;q=0.5", "en"),
        (None, "zh-TW", "zh"),
        (None, None, "zh"),
        ("xx", "de", "zh"),
        ("../../etc/passwd", None, "zh"),
    ],
)
def test_the_language_is_the_chosen_one_else_the_browsers_else_chinese(
    cookie: str | None, accept: str | None, language: str
) -> None:
    assert as_language(cookie, accept) == language


def test_dark_by_device_and_dark_by_hand_are_one_set_of_tokens(folder: Path) -> None:
    style = (folder / "static" / "wardwatt.css").read_text(encoding="utf-8")
    by_device = re.search(r':root:not\(\[data-theme="light"\]\)\{(.*?)\}', style, re.S)
    by_hand = re.search(r':root\[data-theme="dark"\]\{(.*?)\}', style, re.S)
    assert by_device is not None
    assert by_hand is not None
    assert by_device[1] == by_hand[1]


@pytest.mark.parametrize("new", ["color-mix(", "light-dark(", "@container", ":has(", "&:", "@layer"])
def test_the_style_works_in_the_last_browser_of_windows_7(folder: Path, new: str) -> None:
    assert new not in (folder / "static" / "wardwatt.css").read_text(encoding="utf-8")


def test_no_template_carries_a_style_a_script_or_an_address_outside(folder: Path) -> None:
    for file in (folder / "templates").rglob("*.html"):
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"\sstyle=|<style|\son\w+=|javascript:|https?://|//cdn", text), file
        assert not re.search(r"<script(?![^>]*\bsrc=)", text), file
        assert "|safe" not in text, file


def test_the_script_and_the_style_load_nothing_from_outside(folder: Path) -> None:
    for name in ("wardwatt.css", "live.js"):
        text = (folder / "static" / name).read_text(encoding="utf-8")
        assert not re.search(r"https?://|@import|url\((?!#)", text), name
