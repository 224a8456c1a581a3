"""El servidor de eco del ejercicio: responde "echo: " y lo que recibe."""

import asyncio
import sys

import websockets

PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 8765


async def echo(websocket, path=None):
    async for message in websocket:
        print(f"Recibido: {message}")
        await websocket.send(f"echo: {message}")


async def main():
    async with websockets.serve(echo, "127.0.0.1", PORT) as server:
        port = server.sockets[0].getsockname()[1]
        print(f"Servidor en ws://127.0.0.1:{port}")
        await asyncio.Future()


asyncio.run(main())
