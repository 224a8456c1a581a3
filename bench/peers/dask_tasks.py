"""Tasks a second of Dask: a cluster of two processes on this machine, each with one thread.

Timed is `map` and `gather`, without the start of the cluster.
"""

import json
import logging
import time

from distributed import Client, LocalCluster

# With more, each takes longer.
TASKS = 2_000
# Tasks that are not counted: what workers import and keep is there from then on.
WARM = 500
FACTOR = 1.00000043


def repeat_multiply(times):
    return 1.0000054 * FACTOR**times


def tasks_per_second(client, tasks):
    began = time.perf_counter()
    # Each has its own key: with `pure`, Dask would compute a hash of each task's input too.
    futures = client.map(repeat_multiply, range(tasks), pure=False)
    results = client.gather(futures)
    took = time.perf_counter() - began
    assert len(results) == tasks
    return tasks / took


def main():
    # A worker that is ended in the middle of a heartbeat calls that an error.
    quiet = {"dashboard_address": None, "silence_logs": logging.CRITICAL}
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, **quiet) as cluster,
        Client(cluster) as client,
    ):
        tasks_per_second(client, WARM)
        print(json.dumps({"tasks_per_second": tasks_per_second(client, TASKS)}))


# Its workers are started by importing this file.
if __name__ == "__main__":
    main()
