"""Limits and derived points, on every batch, within a second."""

from analytics.live.feed import LiveFeed
from analytics.live.rules import EventKind, LimitEvent, LiveRules, LiveStep, OpenTier, cause_of

__all__ = ["EventKind", "LimitEvent", "LiveFeed", "LiveRules", "LiveStep", "OpenTier", "cause_of"]
