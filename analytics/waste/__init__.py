"""Waste: what is spent and need not be, each kind with a figure in its own unit and in money."""

from analytics.waste import night_flow, power_factor
from analytics.waste.rule import Rule, RuleContext

# Written out, in the order of the list that people read. docs/rules.md has a heading for each.
RULES: tuple[Rule, ...] = (night_flow.RULE, power_factor.RULE)

__all__ = ["RULES", "Rule", "RuleContext"]
