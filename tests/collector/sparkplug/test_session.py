"""The life of an edge node: each change of state, with time as an argument."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest

from collector.sparkplug.session import (
    NODE,
    AskRebirth,
    Born,
    Died,
    GivenUp,
    Heard,
    Kind,
    NodeSession,
    SessionSettings,
    Step,
    Values,
)

S = 1_000_000
T0 = 1_772_424_000 * S
DEVICE = "dev-7"
_digests = itertools.count()


def heard(kind: Kind, seq: int | None = None, at: int = T0, device: str | None = None, **more: Any) -> Heard:
    """A message; births define the aliases 1 and 2, data rely on 1."""
    aliases = {"NBIRTH": {1, 2}, "DBIRTH": {1, 2}, "NDATA": {1}, "DDATA": {1}}.get(kind, set())
    owner = device if device is not None else DEVICE if kind[0] == "D" else NODE
    told = {"bd_seq": None, "aliases": frozenset(aliases), "digest": next(_digests), "size": 10} | more
    return Heard(kind, owner, seq, at_us=at, arrival_us=at, **told)


def names(steps: Sequence[Step]) -> list[str]:
    """What is to be done, briefly: `born dev-7`, `values 3`, `died dev-7`, `ask`, `given up 3`."""
    return [_name(step) for step in steps]


def _name(step: Step) -> str:
    match step:
        case Born(h):
            return f"born {h.device or 'node'}"
        case Values(h):
            return f"values {h.seq}"
        case Died(devices, _):
            return "died " + " ".join(d or "node" for d in devices)
        case GivenUp(h, _):
            return f"given up {h.seq}"
        case AskRebirth():
            return "ask"


class Player:
    """A session that is told its messages one after the other."""

    def __init__(self, **settings: Any) -> None:
        self.session = NodeSession(frozenset({DEVICE}), SessionSettings(**settings))
        self.now = T0

    def hear(self, kind: Kind, seq: int | None = None, **more: Any) -> list[str]:
        return names(self.session.take(heard(kind, seq, self.now, **more), self.now))

    def wait(self, seconds: float) -> list[str]:
        self.now += int(seconds * S)
        return names(self.session.tick(self.now))

    def born(self, bd_seq: int = 0) -> Player:
        """Hear the node's birth and its device's."""
        self.hear("NBIRTH", 0, bd_seq=bd_seq)
        self.hear("DBIRTH", 1)
        return self


@pytest.fixture
def player() -> Player:
    """A node of which nothing is known."""
    return Player()


@pytest.fixture
def living() -> Player:
    """A node that was born, with its device; the next number is 2."""
    return Player().born()


def test_births_and_data_in_order(player):
    assert player.hear("NBIRTH", 0) == ["born node"]
    assert player.hear("DBIRTH", 1) == ["born dev-7"]
    assert player.hear("DDATA", 2) == ["values 2"]
    assert player.hear("NDATA", 3) == ["values 3"]
    assert player.wait(60) == []


def test_the_number_after_255_is_0(player):
    player.hear("NBIRTH", 254)
    assert player.hear("DBIRTH", 255) == ["born dev-7"]
    assert player.hear("DDATA", 0) == ["values 0"]


# --- nothing is known


def test_data_before_any_birth_ask_for_a_rebirth_and_wait_for_it(player):
    assert player.hear("DDATA", 7) == ["ask"]
    assert player.hear("DDATA", 8) == []
    assert player.hear("NBIRTH", 0) == ["born node"]
    assert player.hear("DBIRTH", 1) == ["born dev-7", "values 7", "values 8"]


def test_what_waits_in_vain_is_handed_back(player):
    player.hear("DDATA", 7)
    assert "given up 7" not in player.wait(9.9)
    assert "given up 7" in player.wait(0.1)


def test_a_request_is_repeated_with_growing_pauses(player):
    assert player.hear("DDATA", 7) == ["ask"]
    asked = [i for i in range(120) if "ask" in player.wait(1)]
    assert asked == [4, 14, 34, 74]  # after 5, 10, 20, 40 seconds


def test_an_answer_makes_the_next_pause_short_again(player):
    player.hear("DDATA", 7)
    player.wait(5)
    player.wait(10)
    player.born()
    player.wait(5)
    assert player.hear("DDATA", 2, aliases=frozenset({99})) == ["ask"]


def test_a_device_born_while_its_node_is_unknown_is_understood(player):
    assert player.hear("DBIRTH", 5) == ["ask", "born dev-7"]
    assert player.hear("DDATA", 6) == ["values 6"]


def test_too_many_waiting_messages_push_out_the_oldest():
    player = Player(hold_messages=2)
    player.hear("DDATA", 7)
    player.hear("DDATA", 8)
    assert player.hear("DDATA", 9) == ["given up 7"]


def test_too_many_waiting_bytes_push_out_the_oldest():
    player = Player(hold_bytes=25)
    player.hear("DDATA", 7)
    player.hear("DDATA", 8)
    assert player.hear("DDATA", 9) == ["given up 7"]


# --- aliases


def test_an_alias_that_the_birth_did_not_define_waits_for_a_rebirth(living):
    assert living.hear("DDATA", 2, aliases=frozenset({99})) == ["ask"]
    living.hear("NBIRTH", 0)
    assert living.hear("DBIRTH", 1, aliases=frozenset({1, 99})) == ["born dev-7", "values 2"]


def test_a_device_nobody_has_mapped_counts_in_the_sequence_and_needs_no_birth(living):
    assert living.hear("DDATA", 2, device="other") == ["values 2"]
    assert living.hear("DDATA", 3) == ["values 3"]
    living.hear("DBIRTH", 4, device="other")
    assert "other" not in living.session.aliases


def test_each_device_has_aliases_of_its_own(living):
    living.hear("NBIRTH", 0, aliases=frozenset({50}))
    living.hear("DBIRTH", 1, aliases=frozenset({1}))
    assert living.hear("DDATA", 2, aliases=frozenset({50})) == ["ask"]


# --- order


def test_messages_in_the_wrong_order_are_put_right(living):
    assert living.hear("DDATA", 4) == []
    assert living.hear("DDATA", 3) == []
    assert living.hear("DDATA", 2) == ["values 2", "values 3", "values 4"]
    assert living.wait(60) == []


def test_a_gap_that_stays_asks_for_a_rebirth_and_loses_nothing(living):
    living.hear("DDATA", 3)
    living.hear("DDATA", 4)
    assert living.wait(1.9) == []
    assert living.wait(0.1) == ["ask", "values 3", "values 4"]
    assert living.hear("DDATA", 5) == ["values 5"]


def test_a_gap_closes_early_when_too_much_waits_for_it():
    living = Player(window_messages=2).born()
    living.hear("DDATA", 3)
    living.hear("DDATA", 4)
    assert living.hear("DDATA", 5) == ["ask", "values 3", "values 4", "values 5"]


def test_what_was_missing_is_taken_when_it_comes_after_all(living):
    living.hear("DDATA", 3)
    living.wait(2)
    assert living.hear("DDATA", 2) == ["values 2"]
    assert living.hear("DDATA", 4) == ["values 4"]


def test_a_message_sent_again_is_read_again_but_counts_once(living):
    message = heard("DDATA", 2)
    assert names(living.session.take(message, T0)) == ["values 2"]
    living.hear("DDATA", 3)
    assert names(living.session.take(message, T0)) == ["values 2"]
    assert living.hear("DDATA", 4) == ["values 4"]


def test_a_birth_sent_again_is_no_new_birth(living):
    birth = heard("NBIRTH", 0)
    living.session.take(birth, T0)
    living.hear("DBIRTH", 1)
    assert names(living.session.take(birth, T0)) == ["values 0"]
    assert living.hear("DDATA", 2) == ["values 2"]


def test_a_publisher_that_does_not_number_is_understood(living):
    assert living.hear("DDATA", None) == ["values None"]
    assert living.hear("DDATA", 2) == ["values 2"]


def test_data_that_overtook_a_birth_are_taken_after_it(living):
    assert living.hear("DBIRTH", 1) == []
    assert living.hear("NBIRTH", 0) == ["born node", "born dev-7"]
    assert living.hear("DDATA", 2) == ["values 2"]


# --- deaths


@pytest.mark.parametrize(
    ("born", "died", "steps"),
    [
        (5, 5, ["died node"]),
        (5, None, ["died node"]),  # some tell no number: offline is the safe belief
        (None, 5, ["died node"]),
        (5, 4, ["ask"]),  # of an earlier connection
        (5, 6, ["ask"]),  # of a later one, or a node that counts wrongly
    ],
)
def test_a_nodes_death_belongs_to_its_birth(player, born, died, steps):
    player.hear("NBIRTH", 0, bd_seq=born)
    assert player.hear("NDEATH", bd_seq=died) == steps


def test_a_doubtful_death_is_believed_if_silence_follows(living):
    living.hear("NDEATH", bd_seq=9)
    began = living.now
    assert living.wait(9.9) == ["ask"]
    living.now += S
    steps = living.session.tick(living.now)
    assert steps == [Died((NODE,), began)]


def test_a_doubtful_death_is_forgotten_when_the_node_speaks(living):
    living.hear("NDEATH", bd_seq=9)
    living.hear("DDATA", 2)
    assert "died node" not in [name for _ in range(60) for name in living.wait(1)]


def test_a_death_is_told_once(living):
    assert living.hear("NDEATH", bd_seq=0) == ["died node"]
    assert living.hear("NDEATH", bd_seq=0) == []


def test_a_node_is_dead_before_anything_else_is_known(player):
    assert player.hear("NDEATH", bd_seq=3) == ["died node"]


def test_what_waits_is_handed_back_at_the_nodes_death(player):
    player.hear("DDATA", 7)
    assert player.hear("NDEATH", bd_seq=3) == ["given up 7", "died node"]


def test_what_came_early_is_read_at_the_nodes_death(living):
    living.hear("DDATA", 3)
    assert living.hear("NDEATH", bd_seq=0) == ["values 3", "died node"]


def test_data_after_a_death_ask_for_a_rebirth(living):
    living.hear("NDEATH", bd_seq=0)
    assert living.hear("DDATA", 2) == ["ask"]
    assert living.hear("NBIRTH", 0, bd_seq=1) == ["born node"]
    assert living.hear("DBIRTH", 1) == ["born dev-7", "values 2"]


def test_a_devices_death_has_its_own_time(living):
    message = heard("DDEATH", 2, living.now)
    message.at_us = living.now - 3 * S
    assert living.session.take(message, living.now) == [Died((DEVICE,), living.now - 3 * S)]
    assert living.hear("DDATA", 3) == ["ask"]
    assert living.hear("DBIRTH", 4) == ["born dev-7", "values 3"]


def test_a_device_that_is_not_born_again_with_its_node_is_dead(living):
    born_at = living.now
    assert living.hear("NBIRTH", 0) == ["born node"]
    assert living.wait(9.9) == []
    living.now += S
    assert living.session.tick(living.now) == [Died((DEVICE,), born_at)]


# --- our own restarts and connections


def restored(seq: int | None) -> Player:
    player = Player()
    player.session.restore(4, seq, True, {NODE: frozenset({1}), DEVICE: frozenset({1})})
    return player


def test_after_our_restart_the_next_number_shows_that_nothing_was_missed():
    player = restored(41)
    assert player.hear("DDATA", 42) == ["values 42"]
    assert player.hear("DDATA", 43) == ["values 43"]


@pytest.mark.parametrize("seq", [41, None])
def test_after_our_restart_any_other_number_waits_for_a_rebirth(seq):
    player = restored(seq)
    assert player.hear("DDATA", 44) == ["ask"]
    player.hear("NBIRTH", 0)
    assert player.hear("DBIRTH", 1) == ["born dev-7", "values 44"]


def test_after_our_restart_a_death_counts_whatever_its_number():
    assert restored(41).hear("NDEATH", bd_seq=9) == ["died node"]


def test_a_new_connection_asks_once_and_trusts_the_next_number(living):
    living.now += 60 * S
    assert names(living.session.connected(living.now)) == ["ask"]
    assert living.wait(60) == []
    assert living.hear("DDATA", 2) == ["values 2"]


def test_after_a_cut_another_number_waits_for_a_rebirth(living):
    living.session.connected(living.now)
    assert living.hear("DDATA", 9) == []  # asked a moment ago
    assert living.wait(5) == ["ask"]
    assert living.hear("NBIRTH", 0) == ["born node"]
    assert living.hear("DBIRTH", 1) == ["born dev-7", "values 9"]


def test_what_waits_when_we_stop_is_handed_back(living):
    living.hear("DDATA", 3)
    living.hear("DDATA", 4, aliases=frozenset({99}))
    assert sorted(names(living.session.give_up())) == ["given up 3", "given up 4"]


# --- whose last values hold


def test_a_device_vouches_for_its_values_from_its_birth_to_its_death(player):
    assert not player.session.vouches_for(DEVICE)
    player.hear("NBIRTH", 0)
    assert not player.session.vouches_for(DEVICE)
    player.hear("DBIRTH", 1)
    player.wait(86_400)
    assert player.session.vouches_for(DEVICE)
    player.hear("DDEATH", 2)
    assert not player.session.vouches_for(DEVICE)


def test_a_dead_node_vouches_for_nothing(living):
    living.hear("NDEATH", bd_seq=None)
    assert not living.session.vouches_for(DEVICE)


def test_after_a_missed_message_the_last_values_do_not_hold_until_a_rebirth(living):
    living.hear("DDATA", 5)
    living.wait(3)
    assert not living.session.vouches_for(DEVICE)
    living.born()
    assert living.session.vouches_for(DEVICE)


def test_after_a_new_connection_nothing_is_vouched_for_until_the_node_is_heard(living):
    living.session.connected(living.now)
    assert not living.session.vouches_for(DEVICE)
    living.hear("DDATA", 2)
    assert living.session.vouches_for(DEVICE)


def test_a_node_that_was_asked_just_before_our_connection_broke_is_asked_again(living):
    living.now += 60 * S
    assert names(living.session.connected(living.now)) == ["ask"]
    living.now += S
    assert names(living.session.connected(living.now)) == []
    assert living.wait(4) == ["ask"]


def test_after_our_restart_a_birth_is_needed_since_nobody_knows_which_values_were_lost(player):
    player.session.restore(0, 1, True, {NODE: frozenset({1, 2}), DEVICE: frozenset({1, 2})})
    assert player.hear("DDATA", 2) == ["values 2"]
    assert not player.session.vouches_for(DEVICE)
    player.born()
    assert player.session.vouches_for(DEVICE)
