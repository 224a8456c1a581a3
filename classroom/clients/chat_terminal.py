"""`tequio chat` and `tequio echo` as a person at a terminal has them.

    python chat_terminal.py [TEQUIO_BIN] [WS_URL]

The commands run in a terminal of their own (pexpect), whose screen is drawn as a person would see it
(pyte). Others are played by this script. Without WS_URL (a room of plain text, such as
ws://127.0.0.1:8765/chat/physics?format=text) it serves the room itself, on a port that the system
chooses; then it can also stop the server and start it again. TEQUIO_BIN and TEQUIO_CHAT_URL in the environment do as well.

Needs pexpect, pyte and websockets.
"""

import asyncio
import contextlib
import os
import sys
import threading

import pexpect
import pyte
import websockets
from websockets.asyncio.server import broadcast, serve

ROWS, COLUMNS = 24, 60
PATIENCE_S = 30


def main():
    arguments = sys.argv[1:]
    tequio = arguments[0] if arguments else os.environ.get("TEQUIO_BIN", "tequio")
    url = arguments[1] if len(arguments) > 1 else os.environ.get("TEQUIO_CHAT_URL")
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()

    def run(coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(PATIENCE_S)

    room = None if url else Room()
    if room:
        run(room.start())
    checks = [half_typed_line_stays, what_is_pasted_is_sent_in_order, leaving]
    if room:
        checks += [lost_server, refused_by_the_server, echo_at_a_terminal]
    for check in checks:
        check(tequio, url or room.url, run, room)
        print(f"ok  {check.__name__.replace('_', ' ')}")


# ---- What is checked --------------------------------------------------------------------------


def half_typed_line_stays(tequio, url, run, _room):
    """A message comes while a line is half typed."""
    other = run(Other.join(url))
    with Terminal(tequio, "chat", url) as chat:
        chat.until(lambda: chat.line(-1) == ">")
        chat.type("hola a to")
        chat.until(lambda: chat.line(-1) == "> hola a to")
        run(other.say("Eva: buenas"))
        chat.until(lambda: chat.lines()[-2:] == ["Eva: buenas", "> hola a to"])
        chat.type("dos\r")
        run(other.hears("hola a todos"))
        # The cursor is where one types on, also within a line, and however long the line is.
        chat.type("abcdef\x1b[D\x1b[D")
        run(other.say("one"))
        chat.until(lambda: chat.lines()[-2:] == ["one", "> abcdef"])
        chat.type("X" * COLUMNS)
        chat.until(lambda: chat.line(-1).endswith("Xef"))
        run(other.say("two"))
        chat.until(lambda: chat.lines()[-3:-2] == ["two"])
        assert chat.lines()[-2:] == ["> abcd" + "X" * (COLUMNS - 6), "XXXXXXef"], chat.lines()
        chat.type("\r")
        run(other.hears("abcd" + "X" * COLUMNS + "ef"))
        run(other.say("\x1b[2J\x1b[31mred\r\n"))
        chat.until(lambda: "red" in chat.line(-2))
        assert "Eva: buenas" in chat.lines(), "nobody else clears the screen"
        # What one said is on the screen once: where it was typed.
        assert sum("hola a todos" in line for line in chat.lines()) == 1, chat.lines()
    run(other.leave())


def what_is_pasted_is_sent_in_order(tequio, url, run, _room):
    other = run(Other.join(url))
    pasted = [f"línea {number}" for number in range(30)]
    with Terminal(tequio, "chat", url) as chat:
        chat.until(lambda: chat.line(-1) == ">")
        chat.type("".join(line + "\r" for line in pasted))
        for line in pasted:
            run(other.hears(line))
        for number in range(10):
            run(other.say(f"answer {number}"))
        chat.until(lambda: "answer 9" in chat.lines())
        answers = [line for line in chat.lines() if line.startswith("answer")]
        assert answers == [f"answer {number}" for number in range(10)], chat.lines()
    run(other.leave())


def leaving(tequio, url, run, _room):
    """`exit`, Ctrl-D, Ctrl-C and a polite kill: code 0, and what was said has arrived."""
    other = run(Other.join(url))
    for number, goodbye in enumerate(["exit\r", "\x04", "\x03", None]):
        with Terminal(tequio, "chat", url) as chat:
            chat.until(lambda: chat.line(-1) == ">")
            chat.type(f"bye {number}\r")
            if goodbye is None:
                run(other.hears(f"bye {number}"))
                chat.type("half ty")
                chat.until(lambda: chat.line(-1) == "> half ty")
                chat.process.kill(15)
            else:
                chat.type(goodbye)
            assert chat.ends() == 0, (goodbye, chat.lines())
            assert chat.echoes(), "the terminal is as it was"
            if goodbye is not None:
                run(other.hears(f"bye {number}"))
    run(other.leave())


def lost_server(tequio, url, run, room):
    with Terminal(tequio, "chat", url) as chat:
        chat.until(lambda: chat.line(-1) == ">")
        chat.type("half")
        chat.until(lambda: chat.line(-1) == "> half")
        run(room.stop())
        chat.until(lambda: any("* connection lost (1001" in line for line in chat.lines()))
        chat.until(lambda: chat.line(-1) == "> half")
        chat.type(" said\r")
        chat.until(lambda: "* not sent (no connection): half said" in chat.lines())
        run(room.start())
        chat.until(lambda: "* connected again" in chat.lines())
        other = run(Other.join(url))
        chat.type("back\r")
        run(other.hears("back"))
        run(other.say("welcome back"))
        chat.until(lambda: "welcome back" in chat.lines())
        run(other.leave())
        chat.type("exit\r")
        assert chat.ends() == 0


def refused_by_the_server(tequio, url, run, room):
    """The command ends while a line is being typed: it says why, on a line of its own."""
    with Terminal(tequio, "chat", url) as chat:
        # What is shown while the command ends would tear the line: nothing is left to be shown.
        chat.until(lambda: any(line.startswith("* in") for line in chat.lines()))
        chat.until(lambda: chat.line(-1) == ">")
        chat.type("half")
        chat.until(lambda: chat.line(-1) == "> half")
        run(room.turn_out(1008, "not you"))
        assert chat.ends() == 1
        said = "tequio: the server closed the connection: 1008 not you"
        assert chat.lines()[-2:] == ["> half", said], chat.lines()
        assert chat.echoes(), "the terminal is as it was"


def echo_at_a_terminal(tequio, url, run, room):
    """A room returns what is said, as an echo does."""
    with Terminal(tequio, "echo", url) as echo:
        echo.until(lambda: echo.line(-1) == ">")
        echo.type("Hola, Servidor!\rexit\r")
        wanted = ["> Hola, Servidor!", "< Hola, Servidor!", "> exit", "< exit", ">"]
        echo.until(lambda: sorted(echo.lines()[-5:]) == sorted(wanted))
        echo.type("\x04")
        assert echo.ends() == 0


# ---- A terminal -------------------------------------------------------------------------------


class Terminal:
    """A command in a terminal of its own, as a person sees it."""

    def __init__(self, *command):
        environment = {**os.environ, "TERM": "xterm-256color"}
        self.screen = pyte.Screen(COLUMNS, ROWS)
        self.stream = pyte.ByteStream(self.screen)
        # Reentrant, so that whoever waits may look.
        self.changed = threading.Condition(threading.RLock())
        self.process = pexpect.spawn(
            command[0], list(command[1:]), dimensions=(ROWS, COLUMNS), env=environment, timeout=None
        )
        # Keys may come at any time.
        self.process.delaybeforesend = None
        # A terminal draws whatever comes, whether somebody looks or not.
        self.drawing = threading.Thread(target=self.draw, daemon=True)
        self.drawing.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill(9)
        self.drawing.join()
        self.process.close(force=True)

    def draw(self):
        with contextlib.suppress(pexpect.EOF):
            while True:
                drawn = self.process.read_nonblocking(65536, timeout=None)
                with self.changed:
                    self.stream.feed(drawn)
                    self.changed.notify_all()

    def type(self, keys):
        self.process.send(keys)

    def lines(self):
        """The lines of the screen down to the last one that is not empty."""
        with self.changed:
            lines = [line.rstrip() for line in self.screen.display]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def line(self, index):
        lines = self.lines()
        return lines[index] if len(lines) >= abs(index) else ""

    def until(self, seen):
        with self.changed:
            shown = self.changed.wait_for(seen, PATIENCE_S)
        assert shown, "not seen:\n" + "\n".join(self.lines())

    def ends(self):
        """Waits for its end; gives its exit code."""
        self.drawing.join(PATIENCE_S)
        assert not self.drawing.is_alive(), "no end:\n" + "\n".join(self.lines())
        self.process.wait()
        return self.process.exitstatus

    def echoes(self):
        """Whether the terminal shows what is typed by itself, as it did before the command."""
        return self.process.getecho()


# ---- The others -------------------------------------------------------------------------------


class Other:
    """Another member of the room."""

    @classmethod
    async def join(cls, url):
        other = cls()
        other.socket = await websockets.connect(url)
        return other

    async def say(self, text):
        await self.socket.send(text)
        await self.hears(text)

    async def hears(self, text):
        """The next thing said is `text`."""
        heard = await asyncio.wait_for(self.socket.recv(), PATIENCE_S)
        assert heard == text, (heard, text)

    async def leave(self):
        await self.socket.close()


class Room:
    """A server that tells everybody what anybody says."""

    port = 0

    async def start(self):
        self.server = await serve(self.talk, "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]

    async def talk(self, socket):
        with contextlib.suppress(websockets.ConnectionClosed):
            async for text in socket:
                broadcast(self.server.connections, text)

    async def stop(self):
        self.server.close()
        await self.server.wait_closed()

    async def turn_out(self, code, reason):
        for socket in list(self.server.connections):
            await socket.close(code, reason)

    @property
    def url(self):
        return f"ws://127.0.0.1:{self.port}/"


if __name__ == "__main__":
    main()
