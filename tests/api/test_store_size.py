"""A store is not counted again and again while somebody looks at it."""

import time

import pytest

from api.store_size import size_of
from facility.errors import StoreUnavailable
from facility.store import StoreSize


class Slow:
    """Counts for a while, as a large InfluxDB does; a real one that is slow enough would take minutes to fill."""

    def __init__(self):
        self.counts = 0

    def size(self):
        self.counts += 1
        time.sleep(0.02)
        return StoreSize(self.counts, 1, 1, None, None)


class Away:
    def size(self):
        raise StoreUnavailable("away")


def test_a_slow_store_is_counted_once_for_all_who_ask_soon_after():
    store = Slow()
    assert [size_of(store).readings for _ in range(5)] == [1] * 5
    assert store.counts == 1


def test_each_store_has_a_count_of_its_own():
    assert size_of(Slow()).readings == size_of(Slow()).readings == 1


def test_a_store_that_is_away_says_so():
    with pytest.raises(StoreUnavailable):
        size_of(Away())
