"""Cliente de Socket.IO con asyncio. El segundo argumento dice los transportes: polling,websocket"""

import asyncio
import sys

import socketio

URL = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8765"
TRANSPORTS = sys.argv[2].split(",") if len(sys.argv) > 2 else None

sio = socketio.AsyncClient()
disconnected = asyncio.Event()


@sio.event
async def connect():
    print("Conectado")


@sio.event
async def disconnect(reason=None):
    print("Desconectado")
    disconnected.set()


async def main():
    await sio.connect(URL, transports=TRANSPORTS)
    await sio.emit("message", "Hola, Servidor!")
    print("Respuesta:", await sio.call("message", {"texto": "¿Cómo estás?", "n": 1}))
    print("Transporte:", sio.transport())
    await sio.disconnect()
    await disconnected.wait()


if __name__ == "__main__":
    asyncio.run(main())
