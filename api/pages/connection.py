"""Why there is no connection to the broker, in the reader's language."""

from __future__ import annotations

from api.pages.words import Words


def connection_words(detail: str, words: Words) -> str:
    """
    Return what stands in the way of the connection and what to do about it.

    `detail` is how the collector tells it, for the log, in English; what is not known here stands as it is.
    """
    return next((said for phrase, said in _causes(words) if phrase in detail), detail)


def _causes(words: Words) -> tuple[tuple[str, str], ...]:
    return (
        ("nothing listens there", words("nothing listens there: start the broker, or correct host and port")),
        ("name is not known", words("the host's name is not known: correct it")),
        ("certificate is not trusted", words("the certificate is not trusted: name its authority with ?ca=")),
        ("check user and password", words("refused: check user and password")),
        ("no answer; check the network", words("no answer: check the network, host and port")),
        ("does not answer to", words("no answer: check the network, host and port")),
        ("another program connected as", words("another program uses our client id: give each its own")),
        ("soon after it is made", words("lost again and again: does another program use our client id?")),
        ("let us not subscribe", words("the broker lets us not subscribe: allow it in the broker's ACL")),
        ("not granted yet", words("waits for the broker to grant the topics: if that lasts, see its log")),
        ("the connection was lost", words("the connection was lost: check the broker and the network")),
        ("the broker ended the connection", words("the broker ended the connection: see its log")),
        ("closed", words("the broker closed the connection: see its log")),
    )
