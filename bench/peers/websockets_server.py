"""Tasks a second of a task server in the manner of the classroom's, written with `websockets`.

It sends each connection one task, and the next for each result. It says where it listens, counts
for as long as its argument says once results come, and prints what it counted.
"""

import asyncio
import itertools
import json
import sys
import time

from websockets.asyncio.server import serve

# Results that are not counted, since connections are still being made.
WARM = 5_000


class Tasks:
    def __init__(self):
        self.ids = itertools.count(1)
        self.done = 0

    async def handle(self, socket):
        await socket.send(self.next())
        async for message in socket:
            answer = json.loads(message)
            assert isinstance(answer["result"], float)
            self.done += 1
            await socket.send(self.next())

    def next(self):
        task_id = next(self.ids)
        return json.dumps(
            {
                "type": "task",
                "op": "repeat_multiply",
                "task_id": task_id,
                "initial": 1.0000054,
                "factor": 1.00000043,
                "times": task_id % 1_000_000,
            }
        )


async def main(seconds):
    tasks = Tasks()
    async with serve(tasks.handle, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        print(json.dumps({"url": f"ws://127.0.0.1:{port}"}), flush=True)
        while tasks.done < WARM:
            await asyncio.sleep(0.01)
        began, before = time.perf_counter(), tasks.done
        await asyncio.sleep(seconds)
        rate = (tasks.done - before) / (time.perf_counter() - began)
        print(json.dumps({"tasks_per_second": rate}), flush=True)
        # Its clients do not stop by themselves.
        server.close(close_connections=True)


asyncio.run(main(float(sys.argv[1])))
