import pytest
from small_run import SmallRun


@pytest.fixture
def run():
    """Two hospitals of eight devices that have met and agreed on their scaling; cohorts of four, of three at least."""
    return SmallRun.ready_to_train()
