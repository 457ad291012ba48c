"""
How many messages a second are stored and acknowledged, against a bare paho loop that does nothing with them.

One mosquitto on loopback serves all. For each round a publisher fills the receivers' persistent sessions with the
whole load; then the receivers, each in a fresh process, drain them. So neither the publisher nor the broker's intake is
measured, only the receivers. Bare and collecting rounds alternate; the medians are compared.

    python -m collector.benchmark
"""

from collector.benchmark.measure import run
from collector.benchmark.servers import find_mosquitto

__all__ = ["find_mosquitto", "run"]
