"""Run the benchmark, or one of its receivers in a process of its own."""

import json
import sys

from collector.benchmark.measure import ROLES, run

if __name__ == "__main__":
    outcome = ROLES[sys.argv[1]](**json.loads(sys.argv[2])) if len(sys.argv) > 2 else run()
    print(json.dumps(outcome))  # noqa: T201 - this is how the processes talk
