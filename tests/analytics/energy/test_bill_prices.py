"""Prices of steps and the cost of many meters at once: the same as one by one, and NaN where nothing says."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from analytics.energy.bill import bill
from analytics.energy.energy_charge import contract_prices, energy_cost
from facility.tariff_model import ALL_MONTHS, Tariff, TariffBand
from tests.analytics.energy.tariffs import MARCH, SHANGHAI, contract, even

DAY = Tariff("electricity", 0.7, "kWh", (TariffBand("peak", 1.2, 480, 1200, ALL_MONTHS),))
DEAR = Tariff("electricity", 0.9, "kWh")


def test_steps_before_the_first_tariff_have_no_price() -> None:
    prices = contract_prices(contract(DAY, since=(date(2026, 3, 11),)), even(1.0).begins_us, SHANGHAI)
    assert np.isnan(prices[: 10 * 96]).all()
    assert not np.isnan(prices[10 * 96 :]).any()


def test_a_tariff_of_all_times_has_a_price_at_all_times() -> None:
    prices = contract_prices(contract(DEAR, since=(date(1, 1, 1),)), even(1.0).begins_us, SHANGHAI)
    assert set(prices) == {0.9}


def test_prices_change_with_the_tariff() -> None:
    own = contract(DAY, DEAR, since=(date(2020, 1, 1), date(2026, 3, 11)))
    prices = contract_prices(own, even(1.0).begins_us, SHANGHAI)
    assert set(prices[: 10 * 96]) == {0.7, 1.2}
    assert set(prices[10 * 96 :]) == {0.9}


def test_the_cost_of_a_meter_is_the_energy_of_its_bill() -> None:
    use = even(7440.0)
    prices = contract_prices(contract(DAY), use.begins_us, SHANGHAI)
    whole = bill(contract(DAY), MARCH, use, zone=SHANGHAI)
    assert energy_cost(use.used, prices) == pytest.approx(whole.total_cents / 100)


def test_many_meters_cost_what_each_costs() -> None:
    rng = np.random.default_rng(4)
    use = rng.random((5, 96))
    use[2, 10:20] = np.nan
    use[3] = np.nan
    prices = rng.random(96)
    together = energy_cost(use, prices)
    one_by_one = [float(np.nansum(row * prices)) if np.isfinite(row).any() else np.nan for row in use]
    assert together == pytest.approx(one_by_one, nan_ok=True)


def test_a_price_for_each_step_is_needed() -> None:
    with pytest.raises(ValueError, match="give one price a step"):
        energy_cost(np.ones((2, 3)), np.ones(4))
