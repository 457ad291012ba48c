"""The life of one edge node and its devices, as the host sees it: births, data in order, deaths. Time is an argument.

A message means something only after the birth that gave its aliases their names, and only if none is missing in
between. So messages that come too early wait for the one before them; those that cannot be understood wait for the
rebirth that is asked for. What waits in vain is handed back, never dropped.

Nothing here knows payloads, points or the network: `take`, `tick` and `connected` return what is to be done, in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Kind = Literal["NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH"]

NODE: Final = ""  # the node itself, where a device's name stands
_ROUND: Final = 256  # seq runs from 0 to 255
_DATA: Final = frozenset({"NDATA", "DDATA"})


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """
    How long a node is waited for.

    Attributes
    ----------
    window_us, window_messages : messages that came early wait so long, and so many, for the missing one
    hold_us, hold_messages, hold_bytes : what cannot be understood waits so long, and so much, for the rebirth
    device_us : so long a node's devices may take to be born after it, and a node to answer that it is not dead
    first_pause_us, longest_pause_us : between two requests for a rebirth, doubling while they go unanswered
    """

    window_us: int = 2_000_000
    window_messages: int = 50
    hold_us: int = 10_000_000
    hold_messages: int = 1_000
    hold_bytes: int = 4 * 1024 * 1024
    device_us: int = 10_000_000
    first_pause_us: int = 5_000_000
    longest_pause_us: int = 300_000_000


@dataclass(slots=True, eq=False)
class Heard:
    """
    One message, as far as the node's life is concerned.

    Attributes
    ----------
    kind, device : from the topic; `device` is empty for the node itself
    seq : 0 to 255; None if it has none
    bd_seq : of a node's birth and death
    at_us : its own time, or that of arrival
    arrival_us : when it came
    aliases : of a birth, those it defines; of data, those it relies on
    digest : tells a message that is sent again from another one
    size : [bytes]
    body : whatever the caller wants back with it
    """

    kind: Kind
    device: str
    seq: int | None
    bd_seq: int | None
    at_us: int
    arrival_us: int
    aliases: frozenset[int]
    digest: int
    size: int
    body: Any = None


@dataclass(frozen=True, slots=True)
class Born:
    """A birth: its names hold from now on, and its values are those of now."""

    heard: Heard


@dataclass(frozen=True, slots=True)
class Values:
    """Data that can be understood by the births known now."""

    heard: Heard


@dataclass(frozen=True, slots=True)
class Died:
    """Devices that are no longer heard, or the node (`NODE`) and with it all of them."""

    devices: tuple[str, ...]
    at_us: int


@dataclass(frozen=True, slots=True)
class AskRebirth:
    """Ask the node for all its births."""


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A message that waited in vain, and for what."""

    heard: Heard
    why: str


Step = Born | Values | Died | AskRebirth | GivenUp


@dataclass(slots=True)
class NodeSession:
    """
    One edge node. Not thread-safe.

    Attributes
    ----------
    mapped : devices whose data matter; messages of others only count in the sequence
    alive : True after its birth, False after its death, None while nothing is known
    bd_seq, seq : of its last birth, and of the last message in order
    sure : nothing can have been missed since `seq`
    aliases : what is born, the node itself as `NODE`, with the aliases that its birth defined
    """

    mapped: frozenset[str]
    settings: SessionSettings = field(default_factory=SessionSettings)
    alive: bool | None = None
    bd_seq: int | None = None
    seq: int | None = None
    sure: bool = False
    aliases: dict[str, frozenset[int]] = field(default_factory=dict)
    _early: dict[int, Heard] = field(default_factory=dict)
    _early_since_us: int = 0
    _missed: set[int] = field(default_factory=set)
    _recent: dict[int, int] = field(default_factory=dict)
    _held: deque[Heard] = field(default_factory=deque)
    _held_bytes: int = 0
    _awaited: dict[str, int] = field(default_factory=dict)
    _born_us: int = 0
    _born_here: set[str] = field(default_factory=set)
    _doubted_death_us: int | None = None
    _wanted: bool = False
    _pause_us: int = 0
    _next_us: int = 0

    def restore(self, bd_seq: int | None, seq: int | None, alive: bool, aliases: Mapping[str, frozenset[int]]) -> None:
        """Take up what was known before our own restart; the next message shows whether it still holds."""
        self.alive, self.bd_seq, self.seq, self.sure = alive, bd_seq, seq if alive else None, False
        # Without a number nothing shows whether the births still hold.
        self.aliases = dict(aliases) if self.seq is not None else {}

    def connected(self, now_us: int) -> list[Step]:
        """Our connection is new: anything may have been missed, a silent node's birth and death too."""
        self.sure = False
        steps: list[Step] = []
        self._ask(now_us, steps)
        # A node that is not there is not asked again until it is heard; one that was asked just before is, later.
        self._wanted = not steps
        return steps

    def ask(self, now_us: int) -> list[Step]:
        """Something came that the births do not explain."""
        steps: list[Step] = []
        self._ask(now_us, steps)
        return steps

    def take(self, heard: Heard, now_us: int) -> list[Step]:
        """Take a message and return what follows."""
        steps: list[Step] = []
        self._doubted_death_us = None  # whoever speaks lives
        if heard.kind == "NBIRTH":
            self._node_born(heard, now_us, steps)
        elif heard.kind == "NDEATH":
            self._node_died(heard, now_us, steps)
        else:
            self._in_turn(heard, now_us, steps)
        return steps

    def tick(self, now_us: int) -> list[Step]:
        """Let time pass; call it a few times a second."""
        steps: list[Step] = []
        if self._early and now_us - self._early_since_us >= self.settings.window_us:
            self._close_gap(now_us, steps)
        while self._held and now_us - self._held[0].arrival_us >= self.settings.hold_us:
            steps.append(GivenUp(self._pop_held(), "no rebirth came"))
        for device in [d for d, until_us in self._awaited.items() if now_us >= until_us]:
            # Its node was born anew without it: it died unheard.
            del self._awaited[device]
            steps.append(Died((device,), self._born_us))
        doubted_us = self._doubted_death_us
        if doubted_us is not None and now_us - doubted_us >= self.settings.device_us:
            self._die(doubted_us, steps)
        if self._wanted and now_us >= self._next_us:
            self._ask(now_us, steps)
        return steps

    @property
    def waits(self) -> bool:
        """Return whether anything would come of time that passes."""
        doubted = self._doubted_death_us is not None
        return bool(self._early or self._held or self._awaited or self._wanted or doubted)

    def vouches_for(self, device: str) -> bool:
        """Return whether a device's last values hold: it is born and lives, and nothing can have been missed."""
        # A birth from before our restart does not tell which values were lost since, by `is_null` or bad quality.
        return self.alive is True and self.sure and not self._wanted and device in self._born_here

    def give_up(self) -> list[Step]:
        """Hand back all that waits: we stop."""
        waiting = [*self._held, *self._early.values()]
        self._held.clear()
        self._early.clear()
        self._held_bytes = 0
        return [GivenUp(heard, "the collector was stopped before a rebirth came") for heard in waiting]

    def waiting(self) -> tuple[Heard, ...]:
        """Return all messages that wait."""
        return (*self._held, *self._early.values()) if self._held or self._early else ()

    # Births and deaths of the node --------------------------------------------------------------------------------

    def _node_born(self, heard: Heard, now_us: int, steps: list[Step]) -> None:
        seq = heard.seq or 0
        if self.alive and self._recent.get(seq) == heard.digest:
            steps.append(Values(heard))
            return
        # A birth ends all that was: its devices are born after it, or they are no longer there.
        self._awaited = {d: now_us + self.settings.device_us for d in self.aliases if d != NODE}
        self._born_us = heard.arrival_us
        self.alive, self.sure, self.bd_seq, self.seq = True, True, heard.bd_seq, seq
        self.aliases = {NODE: heard.aliases}
        self._born_here = {NODE}
        self._recent = {seq: heard.digest}
        self._missed.clear()
        self._wanted, self._pause_us = False, 0
        self._next_us = min(self._next_us, now_us + self.settings.first_pause_us)
        steps.append(Born(heard))
        early = sorted(self._early.values(), key=lambda h: (h.seq or 0) - seq)
        self._early.clear()
        for one in early:
            if one.seq == (self.seq + 1) % _ROUND:
                self._accept(one, now_us, steps)
            elif one.kind in _DATA:
                self._understand(one, now_us, steps)
        self._release(NODE, now_us, steps)

    def _node_died(self, heard: Heard, now_us: int, steps: list[Step]) -> None:
        other = None not in (self.bd_seq, heard.bd_seq) and self.bd_seq != heard.bd_seq
        if self.alive and self.sure and other:
            # Mostly the death of an earlier connection, told late. But it may be that of a later one, or of a node that
            # counts wrongly: the node's answer will tell, and its silence too.
            self._doubted_death_us = heard.arrival_us
            self._ask(now_us, steps)
            return
        self._die(heard.arrival_us, steps)

    def _die(self, at_us: int, steps: list[Step]) -> None:
        for one in sorted(self._early.values(), key=self._distance):
            if one.kind in _DATA and self._is_understood(one):
                steps.append(Values(one))
            elif one.kind in _DATA:
                steps.append(GivenUp(one, "the node went offline before a birth came"))
        self._early.clear()
        while self._held:
            steps.append(GivenUp(self._pop_held(), "the node went offline before a birth came"))
        if self.alive is not False:
            steps.append(Died((NODE,), at_us))
        self.alive, self.seq, self.sure, self._wanted, self._doubted_death_us = False, None, True, False, None
        self.aliases.clear()
        self._born_here.clear()
        self._awaited.clear()
        self._recent.clear()

    # Messages in order --------------------------------------------------------------------------------------------

    def _in_turn(self, heard: Heard, now_us: int, steps: list[Step]) -> None:
        seq = heard.seq
        if seq is not None and self._recent.get(seq) == heard.digest:
            # Sent again by the broker: its values do no harm, but it counts no second time.
            if heard.kind in _DATA:
                self._understand(heard, now_us, steps)
            elif heard.kind == "DBIRTH":
                steps.append(Values(heard))
            return
        if self.seq is not None and not self.sure and seq is not None:
            if self._distance(heard) == 0:
                self.sure = True
            else:
                # Something was missed while we were away, perhaps a birth with other aliases: nothing is guessed.
                self.seq = None
                self.aliases.clear()
                self._born_here.clear()
        if self.seq is None:
            self._ask(now_us, steps)
            self._dispatch(heard, now_us, steps)
        elif seq is None or self._distance(heard) == 0:
            self._accept(heard, now_us, steps)
            while (following := self._early.pop((self.seq + 1) % _ROUND, None)) is not None:
                self._accept(following, now_us, steps)
            self._early_since_us = now_us
        elif seq in self._missed:
            self._missed.discard(seq)
            self._recent[seq] = heard.digest
            self._dispatch(heard, now_us, steps)
        else:
            if not self._early:
                self._early_since_us = now_us
            self._early[seq] = heard
            if len(self._early) > self.settings.window_messages:
                self._close_gap(now_us, steps)

    def _distance(self, heard: Heard) -> int:
        """Return how many messages are missing before this one."""
        return ((heard.seq or 0) - (self.seq or 0) - 1) % _ROUND

    def _close_gap(self, now_us: int, steps: list[Step]) -> None:
        """Stop waiting for what is missing: what came after it is taken, and a rebirth will tell what it was."""
        self._ask(now_us, steps)
        for heard in sorted(self._early.values(), key=self._distance):
            missing = self._distance(heard)
            self._missed.update((heard.seq - 1 - i) % _ROUND for i in range(missing) if heard.seq is not None)
            self._accept(heard, now_us, steps)
        self._early.clear()

    def _accept(self, heard: Heard, now_us: int, steps: list[Step]) -> None:
        if heard.seq is not None:
            self.seq = heard.seq
            self._recent[heard.seq] = heard.digest
            self._missed.discard(heard.seq)
        self._dispatch(heard, now_us, steps)

    def _dispatch(self, heard: Heard, now_us: int, steps: list[Step]) -> None:
        device = heard.device
        if heard.kind == "DBIRTH":
            if device in self.mapped:
                self.aliases[device] = heard.aliases
                self._born_here.add(device)
            self._awaited.pop(device, None)
            steps.append(Born(heard))
            self._release(device, now_us, steps)
        elif heard.kind == "DDEATH":
            self.aliases.pop(device, None)
            self._born_here.discard(device)
            self._awaited.pop(device, None)
            steps += [GivenUp(h, "the device went offline before a birth came") for h in self._take_held(device)]
            steps.append(Died((device,), heard.at_us))
        else:
            self._understand(heard, now_us, steps)

    # What can be understood, and what waits -----------------------------------------------------------------------

    def _is_understood(self, heard: Heard) -> bool:
        if heard.device not in self.mapped and heard.device != NODE:
            return True
        known = self.aliases.get(heard.device)
        return known is not None and heard.aliases <= known

    def _understand(self, heard: Heard, now_us: int, steps: list[Step]) -> None:
        if self._is_understood(heard):
            steps.append(Values(heard))
            return
        self._held.append(heard)
        self._held_bytes += heard.size
        while len(self._held) > self.settings.hold_messages or self._held_bytes > self.settings.hold_bytes:
            steps.append(GivenUp(self._pop_held(), "too many messages waited for a rebirth"))
        self._ask(now_us, steps)

    def _release(self, device: str, now_us: int, steps: list[Step]) -> None:
        """After a birth: take what waited for it."""
        for heard in self._take_held(device):
            if self.seq is not None and heard.seq == (self.seq + 1) % _ROUND:
                self._accept(heard, now_us, steps)
            else:
                self._understand(heard, now_us, steps)

    def _take_held(self, device: str) -> list[Heard]:
        taken = [h for h in self._held if h.device == device]
        if taken:
            self._held = deque(h for h in self._held if h.device != device)
            self._held_bytes = sum(h.size for h in self._held)
        return taken

    def _pop_held(self) -> Heard:
        heard = self._held.popleft()
        self._held_bytes -= heard.size
        return heard

    def _ask(self, now_us: int, steps: list[Step]) -> None:
        self._wanted = True
        if now_us >= self._next_us:
            steps.append(AskRebirth())
            first, longest = self.settings.first_pause_us, self.settings.longest_pause_us
            self._pause_us = min(self._pause_us * 2, longest) if self._pause_us else first
            self._next_us = now_us + self._pause_us
