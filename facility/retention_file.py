"""The `retention` section of a site file: how long readings and their roll-ups are kept."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from facility.store.levels import DAY_US, YEAR_US, Retention
from facility.units import parse_interval

FOR_EVER: Final = "forever"
_DEFAULT: Final = Retention()
_LONGEST_US: Final = 1000 * YEAR_US  # no store counts much further back


def _age_us(value: Any) -> int | None:
    if value == FOR_EVER:
        return None
    try:
        interval = parse_interval(value)
        age_us = interval.months * YEAR_US // 12 + round(interval.seconds * 1e6)
    except (ValueError, TypeError, OverflowError):
        raise ValueError(f"{value!r} says not how long; write such as '400 d', '2 years' or {FOR_EVER}") from None
    if age_us < DAY_US:
        raise ValueError(f"{value!r} is too short; keep it for at least '1 d'")
    if age_us > _LONGEST_US:
        raise ValueError(f"{value!r} is longer than 1000 years; write {FOR_EVER}")
    return age_us


_Age = Annotated[int | None, BeforeValidator(_age_us)]


class RetentionFile(BaseModel):
    """
    How long each is kept: `400 d`, `2 years` or `forever`.

    A level of which nothing is said is kept as long as by default, and at least as long as what is finer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    readings: _Age = _DEFAULT.raw_us
    minute: _Age = Field(alias="1min", default=_DEFAULT.minute_us)
    quarter: _Age = Field(alias="15min", default=_DEFAULT.quarter_us)
    hour: _Age = Field(alias="1h", default=_DEFAULT.hour_us)
    day: _Age = Field(alias="1d", default=_DEFAULT.day_us)

    @model_validator(mode="after")
    def _coarser_is_kept_longer(self) -> RetentionFile:
        said = [(name, getattr(self, name)) for name in type(self).model_fields if name in self.model_fields_set]
        for (finer, finer_us), (name, age_us) in pairwise(said):
            if _longer(finer_us, age_us) != age_us:
                finer, name = _key(finer), _key(name)
                raise ValueError(
                    f"{name} is kept for {_words(age_us)}, {finer} for {_words(finer_us)}; keep {name} at least as "
                    f"long, or {finer} no longer"
                )
        return self

    def retention(self) -> Retention:
        """Return the ages as the stores take them."""
        return Retention(*accumulate((self.readings, self.minute, self.quarter, self.hour, self.day), _longer))


def _longer(finer_us: int | None, age_us: int | None) -> int | None:
    return None if finer_us is None or age_us is None else max(finer_us, age_us)


def _key(name: str) -> str:
    return RetentionFile.model_fields[name].alias or name


def _words(age_us: int | None) -> str:
    return FOR_EVER if age_us is None else f"{age_us // DAY_US} d"
