"""Cliente de tareas: recibe una tarea, la calcula y devuelve el resultado."""

import asyncio
import json
import sys
import time

import websockets

URI = sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:8765"


async def main():
    async with websockets.connect(URI) as websocket:
        print(f"Conectado a {URI}")
        async for message in websocket:
            task = json.loads(message)
            if task["type"] != "task":
                continue
            print(f"Tarea recibida: {task}")
            began = time.perf_counter()
            result = task["initial"] * task["factor"] ** task["times"]
            duration_ms = (time.perf_counter() - began) * 1000
            answer = {
                "type": "result",
                "task_id": task["task_id"],
                "result": result,
                "duration_ms": duration_ms,
                "agent": "Python",
            }
            await websocket.send(json.dumps(answer))
            print(f"Resultado enviado: {result}")


if __name__ == "__main__":
    asyncio.run(main())
