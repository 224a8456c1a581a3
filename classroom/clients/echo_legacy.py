"""Cliente de eco con la implementación antigua de websockets, que se llama "legacy" hoy."""

import asyncio
import sys

from websockets.legacy.client import connect

URI = sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:8765"


async def main():
    websocket = await connect(URI)
    try:
        for message in ["Hola, Servidor!", "¿Cómo estás? 👋", "Adiós"]:
            await websocket.send(message)
            print(f"> {message}")
            print(f"< {await websocket.recv()}")
    finally:
        await websocket.close()


asyncio.run(main())
