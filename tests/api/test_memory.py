"""What large arrays held goes back to the system, also where several threads took turns with it."""

import subprocess
import sys

SCRIPT = """
import pathlib, sys, threading
import numpy as np
from api.memory import give_memory_back
told = give_memory_back() if sys.argv[1] == "told" else True
def work():
    for size in range(1, 9):
        arrays = [np.ones(30_000 * size) for _ in range(8)]
        keep.append(bytes(1000))
keep = []
threads = [threading.Thread(target=work) for _ in range(6)]
[t.start() for t in threads]
[t.join() for t in threads]
held = int(pathlib.Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) / 1024
print(told, held)
"""


def held_after(told):
    done = subprocess.run([sys.executable, "-c", SCRIPT, told], capture_output=True, text=True, check=True)
    said, held = done.stdout.split()
    return said == "True", float(held)


def test_large_arrays_of_many_threads_leave_nothing_behind():
    told, held = held_after("told")
    assert told
    assert held < held_after("untold")[1]
