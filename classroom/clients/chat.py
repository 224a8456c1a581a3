"""Cliente de chat: envía cada línea que se escribe y muestra lo que dicen todos."""

import asyncio
import sys

import websockets

URI = sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:8765"


async def send_lines(websocket):
    loop = asyncio.get_running_loop()
    while True:
        line = await loop.run_in_executor(None, sys.stdin.readline)
        if not line:
            await websocket.close()
            return
        await websocket.send(line.rstrip("\n"))


async def main():
    async with websockets.connect(URI) as websocket:
        print("Conectado", flush=True)
        sending = asyncio.create_task(send_lines(websocket))
        async for message in websocket:
            print(f"Recibido: {message}", flush=True)
        await sending


if __name__ == "__main__":
    asyncio.run(main())
