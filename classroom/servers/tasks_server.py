"""El servidor de tareas del ejercicio: envía una tarea a cada cliente y muestra su resultado."""

import asyncio
import json
import sys

import websockets

PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 8765

TASK = {
    "type": "task",
    "op": "repeat_multiply",
    "task_id": 1,
    "initial": 1.0000054,
    "factor": 1.00000043,
    "times": 1_000_000,
}


async def tasks(websocket, path=None):
    print("Cliente conectado")
    await websocket.send(json.dumps(TASK))
    try:
        async for message in websocket:
            answer = json.loads(message)
            if answer["type"] == "result":
                print(f"Resultado {answer['task_id']}: {answer['result']}")
    except websockets.ConnectionClosed:
        pass
    print("Cliente desconectado")


async def main():
    async with websockets.serve(tasks, "127.0.0.1", PORT) as server:
        port = server.sockets[0].getsockname()[1]
        print(f"Servidor en ws://127.0.0.1:{port}")
        await asyncio.Future()


asyncio.run(main())
