"""Joins, and never reads what comes."""

import asyncio
import socket
import sys
from urllib.parse import urlsplit

from websockets.asyncio.client import connect


async def main():
    uri = urlsplit(sys.argv[1])
    # What the system would keep for it is a matter of the system: a small buffer is full anywhere.
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect((uri.hostname, uri.port))
    websocket = await connect(sys.argv[1], sock=sock, ping_interval=None)
    websocket.transport.pause_reading()
    print("joined", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    websocket.transport.abort()


asyncio.run(main())
