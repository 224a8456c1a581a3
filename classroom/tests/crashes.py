"""A program that ends at every task of a job, and is started again: crashes.py URI"""

import asyncio
import json
import sys

import websockets


async def work():
    async with websockets.connect(sys.argv[1]) as websocket:
        print("connected")
        async for message in websocket:
            task = json.loads(message)
            if task["task_id"] > 1:
                raise ZeroDivisionError
            result = task["initial"] * task["factor"] ** task["times"]
            answer = {"type": "result", "task_id": task["task_id"], "result": result}
            await websocket.send(json.dumps(answer))


while True:
    try:
        asyncio.run(work())
    except ZeroDivisionError:
        print("crashed")
