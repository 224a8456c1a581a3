"""El servidor de chat del ejercicio: lo que dice uno, lo reciben todos."""

import asyncio
import sys

import websockets

PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 8765

clients = set()


async def chat(websocket, path=None):
    clients.add(websocket)
    print(f"Conectados: {len(clients)}")
    try:
        async for message in websocket:
            for client in list(clients):
                await client.send(message)
    finally:
        clients.discard(websocket)
        print(f"Conectados: {len(clients)}")


async def main():
    async with websockets.serve(chat, "127.0.0.1", PORT) as server:
        port = server.sockets[0].getsockname()[1]
        print(f"Servidor en ws://127.0.0.1:{port}")
        await asyncio.Future()


asyncio.run(main())
