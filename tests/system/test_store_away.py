"""The store is away, or the disk is full: alarms ring, pages say so, and afterwards every reading is there once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from harness import ROOT


@pytest.mark.parametrize("reserve", ["32", "0"], ids=["room in the spool", "no room anywhere"])
def test_with_a_full_disk_alarms_ring_and_afterwards_nothing_is_lost(tmp_path, reserve):
    # A small disk needs a mount: in a namespace of its own, so that nothing is left behind.
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    child = Path(__file__).with_name("full_disk.py")
    run = subprocess.run(
        [*unshare, sys.executable, child, tmp_path, reserve], cwd=ROOT, timeout=240, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert run.returncode == 0, f"{run.stdout}\n{run.stderr}"
    seen = json.loads(run.stdout)
    assert seen["alarms"] >= 1
    assert seen["same"], seen
    assert seen["reserve"]
    if reserve == "0":
        assert "cannot be written" in seen["told"]
        assert (seen["before"]["watching"], seen["before"]["stored"]) == (True, False)
    else:
        assert "readings wait on disk" in seen["told"]
        assert seen["before"]["spool"] == "away"
        assert seen["before"]["waiting"] > 0
