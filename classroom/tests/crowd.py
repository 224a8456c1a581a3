"""Many members of one chat in one process: crowd.py URI NAME MEMBERS MESSAGES BYTES WINDOW

Each member says MESSAGES times "NAME.member:number", filled up to BYTES, and never has more than
WINDOW of its own on their way: where that is less than MESSAGES, nobody falls behind by more than
all their windows, however slow the machine is.

Lines that it reads: "go" begins; "abort N" breaks the connection of member N, never of the first,
without a word; "fin" has the first member say fin.
Lines that it prints: "joined"; "heard N" now and then, for its first member; "sent" when every
member that is left has heard all of its own; after fin a line of JSON for each, and the end.
"""

import asyncio
import collections
import hashlib
import json
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

URI, NAME = sys.argv[1:3]
MEMBERS, MESSAGES, BYTES, WINDOW = map(int, sys.argv[3:])

TOLD_EVERY = 100
FIN = "fin"


def say(line):
    print(line, flush=True)


class Member:
    def __init__(self, name, websocket):
        self.name = name
        self.websocket = websocket
        self.sent = 0
        self.own = 0
        self.heard = 0
        self.order = hashlib.sha256()
        self.next = collections.Counter()
        self.wrong = []
        self.is_alive = True

    async def say_more(self):
        while self.sent < min(self.own + WINDOW, MESSAGES):
            text = f"{self.name}:{self.sent}"
            self.sent += 1
            await self.websocket.send(text.ljust(BYTES, "."))

    async def run(self, progress):
        try:
            async for text in self.websocket:
                if text == FIN:
                    return
                self.hear(text)
                if text.startswith(f"{self.name}:"):
                    self.own += 1
                    await self.say_more()
                progress(self)
            self.wrong.append("the connection ended before fin")
        except ConnectionClosed as closed:
            self.wrong.append(f"the connection broke: {closed}")
        finally:
            self.is_alive = False

    def hear(self, text):
        self.heard += 1
        self.order.update(text.encode() + b"\n")
        sender, number = text.rstrip(".").split(":")
        if int(number) != self.next[sender]:
            self.wrong.append(f"{sender}:{number} came instead of {self.next[sender]}")
        self.next[sender] = int(number) + 1

    def report(self):
        return json.dumps(
            {
                "name": self.name,
                "heard": self.heard,
                "order": self.order.hexdigest(),
                "from": self.next,
                "wrong": self.wrong[:5],
            }
        )


async def main():
    members = []
    for number in range(MEMBERS):
        # Nothing is kept back from the socket: what a member has not looked at yet waits here.
        websocket = await connect(URI, max_queue=None)
        members.append(Member(f"{NAME}.{number}", websocket))
    say("joined")

    is_told = False

    def progress(member):
        if member is members[0] and member.heard % TOLD_EVERY == 0:
            say(f"heard {member.heard}")
        tell_if_sent()

    def tell_if_sent():
        nonlocal is_told
        left = [member for member in members if member.is_alive]
        if not is_told and all(member.own == MESSAGES for member in left):
            is_told = True
            say("sent")

    running = [asyncio.create_task(member.run(progress)) for member in members]
    lines = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)

    async def go():
        for member in members:
            await member.say_more()

    async def abort(number):
        members[int(number)].is_alive = False
        members[int(number)].websocket.transport.abort()
        tell_if_sent()

    async def fin():
        await members[0].websocket.send(FIN)

    orders = {"go": go, "abort": abort, "fin": fin}

    async def obey():
        while line := (await lines.readline()).decode().split():
            await orders[line[0]](*line[1:])

    obeying = asyncio.create_task(obey())
    await asyncio.gather(*running)
    obeying.cancel()
    for member in members:
        say(member.report())
    await asyncio.gather(*(member.websocket.close() for member in members))


asyncio.run(main())
