"""What the routes of the energy accounts take and give."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from facility.names import Names

Step = Literal["15min", "hour", "day", "month"]


class BookingOut(BaseModel):
    """What is being booked: the stage, the share of it that is done, and since when."""

    stage: str
    share: float
    since_us: int


class ProblemOut(BaseModel):
    """What could not be computed, and where to mend it."""

    place: str
    words: Names


class BooksOut(BaseModel):
    """
    How the books stand; days before `closed_before` are closed: a change of their figures is a restatement.

    `left_out` is what of the site file cannot be computed until it is mended; the rest is booked without it.
    """

    booked_until_us: int | None
    closed_before: date
    wanted: bool
    booking: BookingOut | None
    registers: int
    left_out: list[ProblemOut]


class RegisterOut(BaseModel):
    """
    A register that is booked; `ratio` is the multiplier that holds last.

    A virtual meter has neither equipment nor ratio, but the `formula` that makes it of others.
    """

    key: str
    equipment: str | None
    name: Names
    carrier: str
    flow: str
    unit: str
    digits: int | None
    per_pulse: float | None
    ratio: float | None
    formula: str | None = None


class SeriesOut(BaseModel):
    """
    What a register counted by steps; `amount` is null where nothing is known.

    The shares are of each step's time and make 1 together; of a day that runs, of the time that has passed.
    """

    unit: str
    start_us: list[int]
    amount: list[float | None]
    measured: list[float]
    estimated: list[float]
    missing: list[float]


class ConsumptionOut(BaseModel):
    """Consumption of registers, by their keys."""

    step: Step
    from_us: int
    to_us: int
    registers: dict[str, SeriesOut]


class StatementOut(BaseModel):
    """One version of a monthly document; the layout of `figures` goes with the kind (docs/api.md)."""

    kind: str
    subject: str
    month: str
    version: int
    provisional: bool
    made_us: int
    cause: str
    problems: list[ProblemOut]
    figures: dict[str, Any]


class StatementsOut(BaseModel):
    """Statements, by month, kind and subject."""

    statements: list[StatementOut]


class RestatementOut(BaseModel):
    """A closed figure that was changed; null where nothing was known. `days`: each day with old and new figure."""

    kind: str
    subject: str
    first_day: date
    last_day: date
    old: float | None
    new: float | None
    unit: str
    cause: str
    found_us: int
    days: list[tuple[date, float | None, float | None]]


class RestatementsOut(BaseModel):
    """Restatements, newest first."""

    restatements: list[RestatementOut]


class EventOut(BaseModel):
    """What happened to a register between two moments, and what was made of it."""

    kind: str
    from_us: int
    to_us: int
    told: Names


class EventsOut(BaseModel):
    """Events of a register, oldest first."""

    events: list[EventOut]


class ReadingOut(BaseModel):
    """A register as a person read it; one that is withdrawn counts no more."""

    id: int
    register_: str = Field(alias="register", serialization_alias="register")
    at_us: int
    value: float
    note: str
    entered_us: int
    entered_by: str
    withdrawn_us: int | None
    withdrawn_by: str | None

    model_config = ConfigDict(populate_by_name=True)


class ReadingsOut(BaseModel):
    """Readings by hand, oldest first."""

    readings: list[ReadingOut]


class ExchangeOut(BaseModel):
    """A meter exchanged, as a person entered it; those of the site file are not here."""

    id: int
    register_: str = Field(alias="register", serialization_alias="register")
    at_us: int
    end_value: float
    start_value: float
    note: str
    entered_us: int
    entered_by: str
    withdrawn_us: int | None
    withdrawn_by: str | None

    model_config = ConfigDict(populate_by_name=True)


class ExchangesOut(BaseModel):
    """Exchanges, oldest first."""

    exchanges: list[ExchangeOut]


class ReadingIn(BaseModel, extra="forbid"):
    """A reading: `at` in ISO 8601 (site time where it names no zone) or µs; `confirmed`: an unlikely value is meant."""

    at: Annotated[str, Field(max_length=40)]
    value: float
    note: Annotated[str, Field(max_length=500)] = ""
    confirmed: bool = False


class ExchangeIn(BaseModel, extra="forbid"):
    """An exchange: the old register's end and the new one's start, in its counts; `confirmed`: as for a reading."""

    at: Annotated[str, Field(max_length=40)]
    end: float
    start: float
    note: Annotated[str, Field(max_length=500)] = ""
    confirmed: bool = False


class ImportedOut(BaseModel):
    """How many readings were new."""

    entered: int


class ReportOut(BaseModel):
    """A month that was published: the version of each statement, by `kind/subject`."""

    month: str
    published_us: int
    published_by: str
    versions: dict[str, int]


class ReportsOut(BaseModel):
    """Published months, newest first."""

    reports: list[ReportOut]


class ReportIn(BaseModel, extra="forbid"):
    """Which month to publish."""

    month: Annotated[str, Field(max_length=10)]


class ReasonOut(BaseModel):
    """What speaks against a result (`blocking`), or is only to be known."""

    code: str
    words: Names
    value: float | None
    limit: float | None
    blocking: bool


class LoadChangeOut(BaseModel):
    """A load change that weather and calendar do not explain; `size` is energy a day."""

    start: str
    end: str | None
    month: str
    size: float
    confidence: float


class WorkIn(BaseModel, extra="forbid"):
    """The first and the last day of the work; `to` left out: one day."""

    from_: Annotated[str, Field(alias="from", max_length=40)]
    to: Annotated[str | None, Field(max_length=40)] = None


class MeasureIn(BaseModel, extra="forbid"):
    """
    A measure, with the keys of the site file's `measures`.

    `work` stands for the periods: the year before it is the baseline, the day after it begins the reporting period.
    Without `id` one is made from the English name; `ticket` is the number of the ticket of the work.
    """

    id: str | None = None
    name: dict[str, str]
    meter: str | None = None
    carrier: str | None = None
    work: WorkIn | None = None
    baseline: WorkIn | None = None
    reporting: WorkIn | None = None
    drivers: list[str] | None = None
    cost: str | float | None = None
    owner: str | None = None
    source: str | None = None
    ticket: Annotated[str | None, Field(max_length=40)] = None


class EnteredOut(BaseModel):
    """Who entered a measure and when; `why_not`: it no longer fits the site, and is not judged."""

    by: str
    at_us: int
    ticket: str | None
    why_not: str
    withdrawn_us: int | None
    withdrawn_by: str | None


class EnteredMeasureOut(BaseModel):
    """A measure as it was entered, with the keys of the site file."""

    id: str
    entry: dict[str, Any]
    entered: EnteredOut


class MeasureOut(BaseModel):
    """
    A measure and what it saved. `state` is `waiting` while that is being worked out: ask again.

    `entered` is null for those of the site file.

    `saving`, `uncertainty` (half of the 90 % interval), `expected` and `used` are in `unit`; null where not known.
    """

    id: str
    name: Names
    state: Literal["waiting", "known", "failed"]
    why: str = ""
    unit: str = ""
    baseline: tuple[date, date] | None = None
    reporting: tuple[date, date] | None = None
    model: str | None = None
    cv_rmse: float | None = None
    nmbe: float | None = None
    saving: float | None = None
    relative_saving: float | None = None
    uncertainty: float | None = None
    expected: float | None = None
    used: float | None = None
    adjusted_saving: float | None = None
    money: float | None = None
    money_uncertainty: float | None = None
    acceptable: bool | None = None
    non_routine_events: list[LoadChangeOut] = []
    reasons: list[ReasonOut] = []
    entered: EnteredOut | None = None


class MeasuresOut(BaseModel):
    """The measures of the site file, then those that people entered."""

    measures: list[MeasureOut]
