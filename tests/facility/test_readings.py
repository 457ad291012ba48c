"""Batches are arrays of one length over one point table."""

import numpy as np
import pytest

from facility.readings import OUT_OF_RANGE, PointAddress, PointTable, ReadingBatch

TABLE = PointTable.of_keys(["tx1/load", "tx1/fan", "p1/flow"])


def test_a_point_is_found_by_its_key_and_back():
    assert TABLE.index["p1/flow"] == 2
    assert TABLE.key(2) == "p1/flow"
    assert len(TABLE) == 3


def test_a_point_named_twice_is_refused():
    with pytest.raises(ValueError, match="points named twice: tx1/load"):
        PointTable((PointAddress("tx1", "load"), PointAddress("tx1", "load")))


def test_arrays_of_different_length_are_refused():
    with pytest.raises(ValueError, match="value has shape"):
        ReadingBatch.of(TABLE, [0, 1], [1, 2], [1.0])


def test_taking_and_joining_keep_every_column():
    batch = ReadingBatch.of(TABLE, [0, 1, 2], [10, 20, 30], [1.0, 2.0, 3.0], [0, OUT_OF_RANGE, 0])
    joined = ReadingBatch.concat([batch.take(batch.quality == 0), batch.take(np.array([1]))])
    assert joined.point.tolist() == [0, 2, 1]
    assert joined.time_us.tolist() == [10, 30, 20]
    assert joined.quality.tolist() == [0, 0, OUT_OF_RANGE]


def test_batches_of_different_tables_do_not_join():
    with pytest.raises(ValueError, match="different point tables"):
        ReadingBatch.concat([ReadingBatch.empty(TABLE), ReadingBatch.empty(PointTable.of_keys(["a/b"]))])
