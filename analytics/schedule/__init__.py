"""Which job runs when."""

from analytics.schedule.jobs import Jobs

__all__ = ["Jobs"]
