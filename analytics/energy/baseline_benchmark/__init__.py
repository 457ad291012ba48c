"""How good are the baselines: recorded meters, judged out of sample, beside OpenDSM's own models in the same run."""

from analytics.energy.baseline_benchmark.run import run

__all__ = ["run"]
