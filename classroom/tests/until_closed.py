"""Says when it is connected, and with what it is closed."""

import asyncio
import sys

import websockets


async def main():
    async with websockets.connect(sys.argv[1]) as websocket:
        print("connected")
        try:
            while True:
                await websocket.recv()
        except websockets.ConnectionClosed as closed:
            print("closed", closed.rcvd.code, closed.rcvd.reason)


asyncio.run(main())
