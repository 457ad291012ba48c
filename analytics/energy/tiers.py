"""Prices that rise with the amount: how a month's use falls into the tiers of the year or of the month."""

from __future__ import annotations

from facility.tariff_model import Tiers, TierStep


def tiered(tiers: Tiers, before: float, amount: float) -> list[tuple[TierStep, float]]:
    """
    Return what of an amount falls into each tier, lowest first; tiers without any are left out.

    Parameters
    ----------
    before : used since the period of the tiers began
    amount : used now

    Raises
    ------
    ValueError
        If one of them is below zero.
    """
    if before < 0 or amount < 0:
        raise ValueError(f"{min(before, amount)} is below zero; amounts of tiers are not")
    found: list[tuple[TierStep, float]] = []
    low, end = before, before + amount
    for step in tiers.steps:
        top = end if step.up_to is None else min(end, step.up_to)
        if top > low:
            found.append((step, top - low))
            low = top
    return found
