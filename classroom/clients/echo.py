"""Cliente de eco: saluda al servidor y muestra lo que responde."""

import asyncio
import sys

from websockets.asyncio.client import connect

URI = sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:8765"


async def main():
    async with connect(URI) as websocket:
        for message in ["Hola, Servidor!", "¿Cómo estás? 👋", "Adiós"]:
            await websocket.send(message)
            print(f"> {message}")
            print(f"< {await websocket.recv()}")


if __name__ == "__main__":
    asyncio.run(main())
