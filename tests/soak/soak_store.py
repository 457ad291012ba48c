"""The store behind a spool through thousands of steps in any order; the quick suite takes a short walk of the same."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.facility.store.store_machine import StoreMachine


@pytest.mark.timeout(3600)
def test_the_store_says_what_the_model_says_whatever_is_done_to_it():
    how = settings(
        max_examples=200, stateful_step_count=40, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(StoreMachine, settings=how)
