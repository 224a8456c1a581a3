"""Cliente del espejo: lo que envía, texto o bytes, vuelve tal como es."""

import asyncio
import sys

import websockets

URI = sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:8765"

MESSAGES = [
    "Hola, Servidor!",
    "",
    "ñandú 🦤 \0 fin",
    b"",
    b"\x00\x01\xfe\xff",
    bytes(range(256)) * 256,
    "x" * 1_000_000,
]


async def main():
    async with websockets.connect(URI) as websocket:
        for message in MESSAGES:
            await websocket.send(message)
            answer = await websocket.recv()
            kind = "texto" if isinstance(answer, str) else "bytes"
            same = "igual" if answer == message else f"distinto: {answer[:40]!r}"
            print(f"{kind} {len(answer)} {same}")


if __name__ == "__main__":
    asyncio.run(main())
