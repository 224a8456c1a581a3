"""Does in a chat what a client should not, and says what it gets: misbehave.py ws://HOST:PORT

A line for each deed: "deed: CODE REASON" for how it was closed, "deed: HTTP STATUS CODE" for how it
was refused, or "deed: TEXT" for what it heard.
"""

import asyncio
import json
import sys
from contextlib import suppress
from urllib.parse import quote, urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

URI = sys.argv[1]

# How many a member may say at once, and some more.
FLOOD = 260


def say(deed, what):
    print(f"{deed}: {what}", flush=True)


async def closed_after(deed, path, act):
    """What the server closes with after `act` was done to the connection."""
    async with connect(URI + path) as websocket:
        # It may be closed before all of it is sent.
        with suppress(ConnectionClosed):
            await act(websocket)
        try:
            while True:
                await websocket.recv()
        except ConnectionClosed as closed:
            rcvd = closed.rcvd
            say(deed, f"{rcvd.code} {rcvd.reason}" if rcvd else "nothing was said")


async def refused(deed, path):
    """What the server answers instead of a connection."""
    try:
        async with connect(URI + path):
            say(deed, "taken")
    except InvalidStatus as invalid:
        error = json.loads(invalid.response.body)["error"]
        say(deed, f"HTTP {invalid.response.status_code} {error['code']}")


async def heard(deed, path, message):
    """What comes back of a message."""
    async with connect(URI + path) as websocket:
        await websocket.send(message)
        answer = await websocket.recv()
        say(deed, "the same" if answer == message else answer)


async def vanish(deed):
    """Begins a handshake, a frame, a connection, and does not end them."""
    address = urlsplit(URI)
    for begun in [b"", b"GET /chat HTTP/1.1\r\nHost: x\r\nUpgr", b"\0\xff" * 5000]:
        _, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(begun)
        writer.transport.abort()
    for begun in [b"", b"\x81", b"\x81\xfe\x10\x00half a frame", b"\x01\x80mask"]:
        websocket = await connect(URI + "/chat")
        websocket.transport.write(begun)
        websocket.transport.abort()
    say(deed, "done")


async def flood(deed):
    """Says much at once; all of it comes back, in order."""
    async with connect(URI + "/chat") as websocket:
        said = [f"flood {number}" for number in range(FLOOD)]
        for text in said:
            await websocket.send(text)
        answers = [await websocket.recv() for _ in said]
        say(deed, "all of it, in order" if answers == said else answers)


async def main():
    over = "ñ" * 2048 + "x"
    await heard("4096 bytes", "/chat/own", over[:-1])
    await closed_after("4097 bytes", "/chat", lambda it: it.send(over))
    parts = [over[:2000], over[2000:]]
    await closed_after("4097 bytes in parts", "/chat", lambda it: it.send(parts))
    await closed_after("binary", "/chat", lambda it: it.send(b"\0\1\2"))
    await closed_after(
        "no UTF-8", "/chat", lambda it: it.send(b"ok \xff\xfe", text=True)
    )

    async def unmasked(websocket):
        websocket.transport.write(b"\x81\x05hello")

    async def reserved(websocket):
        websocket.transport.write(b"\xf1\x80aaaa")

    await closed_after("unmasked", "/chat", unmasked)
    await closed_after("reserved bits", "/chat", reserved)

    for deed, name in {
        "name of 10 KB": "n" * 10_240,
        "name of 41": "n" * 41,
        "name with a line": "Ana\nBeto",
        "name with a number": "#7",
    }.items():
        await refused(deed, f"/chat?name={quote(name)}")
    await refused("name of 41 at the bare address", f"/?name={'n' * 41}")
    for deed, room in {
        "room of 65": "r" * 65,
        "room with NUL": "a%00b",
        "room that is no UTF-8": "%ff%fe",
        "room with a slash": "a%2Fb",
    }.items():
        await refused(deed, f"/chat/{room}")
    await refused("format", "/chat?format=xml")
    await refused("prefix", f"/echo?prefix={'p' * 101}")
    for deed, room in {
        "room of 64": "r" * 64,
        "room in words": "salón 3 🎲 <b>&?#%",
    }.items():
        await heard(deed, f"/chat/{quote(room, safe='')}", "¿Hay alguien?")

    await heard("1 MiB of echo", "/echo?prefix=", "x" * 1_048_576)
    await closed_after("1 MiB and a prefix", "/echo", lambda it: it.send("x" * 1_048_576))
    await closed_after("more than 1 MiB", "/echo", lambda it: it.send("x" * 1_048_577))
    await closed_after(
        "no UTF-8 for the echo", "/echo", lambda it: it.send(b"\xc3(", text=True)
    )

    await vanish("vanished")
    await flood("flood")


asyncio.run(main())
