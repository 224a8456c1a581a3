"""Says events of many names, as a class does, and something large: names.py URL TRANSPORTS"""

import asyncio
import sys

import socketio

NAMES = [
    "mañana",
    "¿Cómo estás?",
    "canción de cuna 🎵",
    'dice "hola"',
    "C:\\temp",
    "dos\nlíneas",
    "a/b",
    "",
    "connect",
    "mitad \ud83d",
    "ñ" * 4096,
]

# What Node's server takes at the most, and the size from which it was too much here.
SIZES = [786_432, 1_000_000]


async def with_asyncio(url, transports):
    sio = socketio.AsyncClient()
    await sio.connect(url, transports=transports)
    for name in NAMES:
        print(ascii(name[:20]), await sio.call(name, {"señal": name[:3]}))
    for size in SIZES:
        print(size, "bytes", await sio.call("foto", bytes(size)))
        print(size, "letters", await sio.call("texto", "x" * size))
    await sio.disconnect()


def without(url, transports):
    sio = socketio.Client()
    sio.connect(url, transports=transports)
    for name in NAMES:
        print(ascii(name[:20]), sio.call(name, {"señal": name[:3]}))
    for size in SIZES:
        print(size, "bytes", sio.call("foto", bytes(size)))
        print(size, "letters", sio.call("texto", "x" * size))
    sio.disconnect()


arguments = sys.argv[1], sys.argv[2].split(",")
asyncio.run(with_asyncio(*arguments))
without(*arguments)
