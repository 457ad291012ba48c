"""The soak tests lean on the system tests' parts and start the same real servers."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "system"))

from harness import Mosquitto


@pytest.fixture
def mosquitto(tmp_path):
    broker = Mosquitto(tmp_path / "mosquitto").start()
    yield broker
    broker.stop()


@pytest.fixture
def tell(capsys):
    """Print figures whatever pytest captures: they are what a soak test is run for."""

    def tell(figures):
        with capsys.disabled():
            print(f"\n{figures}")

    return tell
