"""What the detector takes for granted: every number in it that was not learnt from the machine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DetectorParameters:
    """None of these has a physical unit: the detector scales itself to the training rows."""

    windows: tuple[int, ...] = (1, 5, 20)
    """Rows over which a deviation is averaged (exponentially); the first must be 1. Short ones see blows, long ones
    see small shifts that noise hides from row to row."""

    limit: float = 4.5
    """An averaged deviation of so many of its own training spreads is an alarm: about one row in 150,000 of
    Gaussian noise."""

    excursion_margin: float = 1.5
    """...and at least so many times the largest excursion of the training rows, which counts real, un-Gaussian ups
    and downs as the normal they are."""

    lone_excursion: float = 3.0
    """The largest excursion counts for at most so many times the second largest, so that one incident (zeros from
    commissioning) in the training rows does not blind the detector."""

    short_training: float = 1.0
    """The limit grows by this over the root of the number of independent windows in the training rows."""

    level_rows: int = 50
    """Time constant of the slow level [rows]; at most a quarter of the training rows."""

    level_lag: int = 40
    """The slow level learns rows only when they are this old, so that a fault which builds up within that time is seen
    before it is learnt [rows]; at most an eighth of the training rows."""

    patience_s: float = 7 * 86_400.0
    """An alarm that has lasted so long is a new normal and is followed again [s]..."""

    patience_rows: tuple[int, int] = (500, 5000)
    """...but not before the first, nor after the second number of rows or as many as there were to learn from."""

    unrest_factor: float = 1.45
    """The limit is higher by this for the average square, whose noise has a heavier tail: a chi-square of 20 degrees of
    freedom exceeds 6.6 spreads as seldom as a Gaussian exceeds 4.5."""

    release: float = 0.7
    """An alarm ends below this share of its threshold (hysteresis)."""

    quiet: float = 0.5
    """Once the shorter average has sunk below this share of the longer ones, the machine is on its way back, and the
    longer ones are made to forget, so that an alarm does not trail behind."""

    habituation: float = 1.1
    """Each excursion that came and went by itself widens its own limit so much..."""

    habituation_limit: float = 2.0
    """...but never beyond this."""

    lone_row_share: float = 0.6
    """A single wild row, however wild, moves a longer average by at most this share of its threshold."""

    lone_row_alarm_s: float = 300.0
    """Rows this far apart or farther are averages themselves: a single one may ring. Closer rows must agree [s]."""

    hold_s: float = 30.0
    """An alarm's label stays until nothing was odd for so long [s]: one event is one alarm, not ten."""

    news: float = 1.1
    """What exceeds the remembered oddity by this factor is news, and scores so."""

    memory_rows: float = 300.0
    """Rows in which the memory of an oddity halves."""

    minimum_rows: int = 30
    """Fewer training rows than this teach nothing."""

    minimum_coverage: float = 0.1
    """A point that has arrived in less than this share of the training rows is not judged."""

    redundancy_gain: float = 0.5
    """The other points predict a point if that leaves less than this share of its variance, out of sample."""

    rhythm_gain: float = 0.7
    """The time of day (and the weekday) predicts a point if that leaves less than this share of its variance."""

    stuck_factor: float = 3.0
    """A point is stuck when it repeats one value for so many times its longest run in the training rows..."""

    stuck_share: float = 0.05
    """A point that held one value for more than this share of the training rows is never called stuck..."""

    stuck_values: int = 10
    """...nor is one that took fewer different values: a state."""

    stuck_rows: int = 20
    """...plus this many rows."""

    def __post_init__(self) -> None:
        if len(self.windows) < 3 or self.windows[0] != 1 or list(self.windows) != sorted(set(self.windows)):
            raise ValueError(f"windows is {self.windows}; give three or more rising numbers of rows, the first 1")
