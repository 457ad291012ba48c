"""A store behind a spool, driven through all it may meet in any order; `tests/soak` does so for longer."""

from hypothesis import HealthCheck, settings

from tests.facility.store.store_machine import StoreMachine

TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(
    max_examples=8, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
