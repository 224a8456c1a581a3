"""Cliente de eco como se escribía para websockets 8, 9 y 10."""

import asyncio
import sys

import websockets

uri = sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:8765"


async def hello():
    async with websockets.connect(uri) as websocket:
        for message in ["Hola, Servidor!", "¿Cómo estás? 👋", "Adiós"]:
            await websocket.send(message)
            print(f"> {message}")

            answer = await websocket.recv()
            print(f"< {answer}")


asyncio.get_event_loop().run_until_complete(hello())
