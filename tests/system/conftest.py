"""Fixtures of the system tests: everything that they start is stopped, whatever happens."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from harness import Mosquitto, Wardwatt


@pytest.fixture
def mosquitto(tmp_path):
    broker = Mosquitto(tmp_path / "mosquitto").start()
    yield broker
    broker.stop()


@pytest.fixture
def wardwatt(tmp_path):
    """Return a way to start services; each gets a folder of its own unless one is named."""
    started = []

    def start(*arguments, folder="service", seconds=60.0, **more):
        service = Wardwatt(tmp_path / folder, *arguments, **more)
        started.append(service)
        return service.start(seconds)

    yield start
    for service in started:
        service.stop()
