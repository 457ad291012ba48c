"""Bands of the day and their ratios as people write them, in a site file and in the library of plans alike."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from facility.tariff_model import ALL_MONTHS, DAY_WORDS, HOLIDAYS, BandRatios, TariffBand
from facility.when_file import Months, TimeOfDay

Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_STEP_MINUTES: Final = 15
BandWord = Literal["sharp", "peak", "flat", "valley", "deep"]


def _days(value: Any) -> frozenset[str]:
    words = value if isinstance(value, list | frozenset) else [value]
    for word in words:
        if word not in (*DAY_WORDS, *HOLIDAYS):
            raise ValueError(
                f"{word!r} are no days known here; write {', '.join(DAY_WORDS)}, or a holiday such as labour_day"
            )
    return frozenset(words)


def _on_a_step(minute: int) -> int:
    if minute % _STEP_MINUTES:
        raise ValueError(
            f"{minute // 60:02d}:{minute % 60:02d} lies within a quarter of an hour, and energy is booked by quarters; "
            "write a whole one, such as 08:15"
        )
    return minute


_StepOfDay = Annotated[TimeOfDay, AfterValidator(_on_a_step)]


class Strict(BaseModel):
    """What unknown keys are refused in."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, populate_by_name=True)


class BandFile(Strict):
    """A band of the day; without a price it takes that of the ratios."""

    name: BandWord
    price: Price | None = None
    from_: _StepOfDay = Field(alias="from")
    to: _StepOfDay
    months: Months = ALL_MONTHS
    days: Annotated[frozenset[str], BeforeValidator(_days)] = frozenset()

    def band(self) -> TariffBand:
        """Return it as data."""
        return TariffBand(self.name, self.price, self.from_, self.to, self.months, self.days)


class RatiosFile(Strict):
    """What floating prices are multiplied by in each band; flat is 1."""

    months: Months = ALL_MONTHS
    sharp: Price | None = None
    peak: Price | None = None
    flat: Price | None = None
    valley: Price | None = None
    deep: Price | None = None

    def ratios(self) -> BandRatios:
        """Return them as data."""
        given = self.model_dump(exclude={"months"}, exclude_none=True)
        return BandRatios(self.months, {"flat": 1.0, **given})
