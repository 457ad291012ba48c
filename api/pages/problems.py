"""Errors in the reader's language: what went wrong, and what to do, by the error's code."""

from __future__ import annotations

import re
from dataclasses import dataclass

from api.pages.words import Words
from api.security.passwords import SHORTEST
from facility.names import Language


@dataclass(frozen=True, slots=True)
class Problem:
    """An error for people; `detail` is what the service said in its own words, where it says more, in `language`."""

    code: str
    what: str
    mend: str
    detail: str
    language: Language = "en"


def problem(code: str, message: str, mend: str, words: Words, zh: str = "") -> Problem:
    """
    Return an error in words.

    A code that is not known here keeps what the service said: better English than nothing. `zh` is what it said in
    Chinese, message and mend, where it has such.
    """
    if not code:
        return Problem("", "", "", "")
    known = {
        "bad-credentials": (
            words("Name or password is wrong."),
            words("Check both. An administrator can set a new password."),
        ),
        "too-many-attempts": (words("There were too many failed attempts."), _wait(mend, words)),
        "form-refused": (
            words("The form was too old or came from elsewhere, nothing was changed."),
            words("Load the page again and repeat it."),
        ),
        "passwords-differ": (words("The two new passwords differ."), words("Type the new password twice.")),
        "weak-password": (
            words("The new password is too easy to guess."),
            words(
                "Use %(n)s characters or more, of three kinds among small letters, capitals, digits and signs, "
                "or 16 characters of any kind; your name must not be in it.",
                n=SHORTEST,
            ),
        ),
        "login-needed": (words("Nobody is logged in."), words("Log in and try again.")),
        "role-too-low": (
            words("Your role does not allow this."),
            words("Ask an administrator, or let a colleague do it."),
        ),
        "unknown-path": (words("There is no such page."), words("Go to the overview and find it from there.")),
        "unknown-page": (words("There is no such page."), words("Go to the overview and find it from there.")),
        "unknown-measure": (words("There is no measure with this name."), words("Look for it in the list of savings.")),
        "unknown-register": (words("No meter has such a register."), words("Look for it in the list of meters.")),
        "unknown-department": (
            words("There is no department with this name."),
            words("Look for it in the list of departments."),
        ),
        "unknown-contract": (
            words("There is no bill of this contract."),
            words("Choose one on the page of the month."),
        ),
        "unknown-version": (
            words("There is no such version of the bill."),
            words("Choose one on the page of the month."),
        ),
        "unknown-entry": (words("There is no such entry."), words("Somebody has discarded it, perhaps.")),
        "no-equipment": (words("The site has no equipment."), words("Add some to the site file.")),
        "unknown-equipment": (
            words("There is no equipment with this name."),
            words("Look for it in the list of plant; it may have left the site file."),
        ),
        "unknown-point": (
            words("This equipment has no such point."),
            words("Choose one on the page of the equipment."),
        ),
        "action-refused": (words("This cannot be done now, nothing was changed."), words("See below what would do.")),
        "invalid-request": (words("The page did not understand what was sent."), words("Go back and try again.")),
        "store-unavailable": (
            words("The database does not answer."),
            words("Collecting goes on and loses nothing. Try again shortly."),
        ),
        "too-many-streams": (
            words("Too many live pages are open."),
            words("Close pages that nobody looks at."),
        ),
        "too-large": (words("What was sent is too long."), words("Send less at once.")),
        "method-not-allowed": (words("This address takes no such request."), words("Go back and try again.")),
        "internal": (
            words("The page failed, for a reason that lies in Wardwatt."),
            words("Live rules and collecting go on. Try again; if it stays, tell whoever runs the service."),
        ),
    }  # fmt: skip
    if code == "unknown-record" and zh and words.language == "zh":
        message, _, mend = zh.partition("；")
        return Problem(code, f"{message}。", f"{mend}。", "")
    if code not in known:
        return Problem(code, message, mend, "")
    # What the service says of itself holds figures and names that no catalogue knows.
    if code not in ("action-refused", "internal", "invalid-request"):
        return Problem(code, *known[code], "")
    if zh and words.language == "zh":
        return Problem(code, *known[code], zh, "zh")
    return Problem(code, *known[code], f"{message} {mend}".strip())


def _wait(mend: str, words: Words) -> str:
    seconds = re.search(r"\d+", mend)
    if seconds is None:
        return words("Wait a while and try again.")
    return words("Wait %(n)s s and try again.", n=seconds[0])
