"""The life of one limit, told by its rows: one row every ten seconds."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.live.states import Change, Hold, Rows, Watch, advance

S = 1_000_000
ABOVE_HOLD_30 = Hold(hold_us=30 * S, fresh_us=30 * S, worse=1)


def rows_of(values: str, *, start_s: int = 0, step_s: int = 10, limit: float = 130, clear: float = 125) -> Rows:
    """Make rows of a limit `value > 130, clear 125` from `120 131 _`; `_` is unknown."""
    value = np.array([np.nan if v == "_" else float(v) for v in values.split()])
    known = np.isfinite(value)

    def holds(bound: float) -> np.ndarray:
        return np.where(known, value > bound, -1).astype(np.int8)

    return Rows(
        time_us=(start_s + np.arange(value.size) * step_s).astype(np.int64) * S,
        over=holds(limit),
        uncleared=holds(clear),
        value=value,
        known=known[None, :],
    )


def story(changes: list[Change]) -> str:
    return " ".join(f"{c.kind}@{c.at_us // S}" for c in changes)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ("120 131 131 131", ""),  # held for 20 s
        ("120 131 131 131 131", "firing@40"),  # for 30 s
        ("120 131 131 131 129", ""),  # not over any more when the hold time was up
        ("131 131 131 131 129", "firing@30"),
        ("131 131 131 131 129 125 131", "firing@30 cleared@50"),  # at the clearing value it is clear
        ("131 131 131 131 125.1 131", "firing@30"),  # just above it is not
        ("131 131 131 131 _ _ 131", "firing@30 unknown@40 known@60"),
        ("131 131 131 131 _ _ 100", "firing@30 unknown@40 cleared@60"),
        ("131 131 _ 131 131 131", ""),  # nobody can tell whether it held
        ("131 131 _ 131 131 131 131", "firing@60"),
        ("131 131 131 131 100 131 131 131 131", "firing@30 cleared@40 firing@80"),
        ("_ _ _ 120", ""),
        ("", ""),
    ],
)
def test_a_limit_fires_when_it_has_held_and_clears_when_it_is_known_to_be_over(values: str, told: str) -> None:
    assert story(advance(Watch(), rows_of(values), ABOVE_HOLD_30)) == told


def test_a_limit_without_a_hold_time_fires_at_once() -> None:
    assert story(advance(Watch(), rows_of("120 131"), Hold(0, 30 * S, 1))) == "firing@10"


@pytest.mark.parametrize(("step_s", "told"), [(20, "firing@30"), (21, "")])
def test_rows_too_far_apart_do_not_prove_that_the_condition_held(step_s: int, told: str) -> None:
    believed_for_20 = Hold(hold_us=30 * S, fresh_us=20 * S, worse=1)
    assert story(advance(Watch(), rows_of("131 131 131", step_s=step_s), believed_for_20)) == told


def test_the_hold_time_may_run_out_between_two_rows() -> None:
    slow = Hold(hold_us=15 * S, fresh_us=30 * S, worse=1)
    assert story(advance(Watch(), rows_of("131 131 100"), slow)) == "firing@15 cleared@20"


def test_the_worst_value_is_kept_and_told_when_it_is_over() -> None:
    changes = advance(Watch(), rows_of("131 132 133 134 139 136 100"), ABOVE_HOLD_30)
    assert [(c.kind, c.value, c.peak) for c in changes] == [("firing", 134, 134), ("cleared", 100, 139)]


def test_the_worst_value_of_a_lower_limit_is_the_lowest() -> None:
    value = np.array([310.0, 290.0, 315.0, 400.0])
    over = (value < 320).astype(np.int8)
    rows = Rows(np.arange(4, dtype=np.int64) * S, over, over, value, np.ones((1, 4), dtype=bool))
    assert advance(Watch(), rows, Hold(0, 30 * S, -1))[-1].peak == 290


def test_a_sensor_that_it_fired_on_must_be_alive_for_it_to_clear() -> None:
    time_us = np.arange(3, dtype=np.int64) * S
    over = np.array([1, 0, 0], dtype=np.int8)
    known = np.array([[True, False, True], [True, True, True]])  # the first sensor is silent in the second row
    changes = advance(Watch(), Rows(time_us, over, over, np.array([140.0, 60.0, 60.0]), known), Hold(0, 30 * S, 1))
    assert story(changes) == "firing@0 unknown@1 cleared@2"


def test_a_sensor_that_was_never_there_need_not_come_alive() -> None:
    time_us = np.arange(2, dtype=np.int64) * S
    over = np.array([1, 0], dtype=np.int8)
    known = np.array([[False, False], [True, True]])
    changes = advance(Watch(), Rows(time_us, over, over, np.array([140.0, 60.0]), known), Hold(0, 30 * S, 1))
    assert story(changes) == "firing@0 cleared@1"


def test_rows_from_before_it_fired_do_not_clear_it() -> None:
    watch = Watch(phase="firing", since_us=70 * S, fired_us=100 * S)
    assert story(advance(watch, rows_of("100 100 131 131", start_s=80), ABOVE_HOLD_30)) == ""


value_words = st.lists(st.sampled_from(["100", "124", "126", "131", "140", "_"]), max_size=40)


@given(value_words, st.lists(st.integers(0, 40), max_size=5))
def test_how_rows_are_cut_into_batches_changes_nothing(words: list[str], cuts: list[int]) -> None:
    rows = rows_of(" ".join(words))
    whole = advance(Watch(), rows, ABOVE_HOLD_30)
    watch, pieces = Watch(), []
    bounds = sorted({0, len(words), *(c for c in cuts if c < len(words))})
    for low, high in pairwise(bounds):
        part = slice(low, high)
        pieces += advance(
            watch,
            Rows(rows.time_us[part], rows.over[part], rows.uncleared[part], rows.value[part], rows.known[:, part]),
            ABOVE_HOLD_30,
        )
    assert pieces == whole


@given(value_words)
def test_agrees_with_a_loop_that_anyone_can_read(words: list[str]) -> None:
    told, state, since, last = [], "quiet", 0, "known"
    for i, word in enumerate(words):
        now, value = i * 10, None if word == "_" else float(word)
        if state == "firing":
            if value is None:
                if last == "known":
                    told.append(f"unknown@{now}")
                last = "unknown"
            elif value > 125:
                if last == "unknown":
                    told.append(f"known@{now}")
                last = "known"
            else:
                told.append(f"cleared@{now}")
                state = "quiet"
        if state == "quiet" and value is not None and value > 130:
            state, since = "pending", now
        elif state == "pending" and (value is None or value <= 130):
            state = "quiet"
        if state == "pending" and now >= since + 30:
            told.append(f"firing@{now}")
            state, last = "firing", "known"
    assert story(advance(Watch(), rows_of(" ".join(words)), ABOVE_HOLD_30)).split() == told
