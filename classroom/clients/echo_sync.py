"""Cliente de eco sin asyncio: saluda al servidor y muestra lo que responde."""

import sys

from websockets.sync.client import connect

URI = sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:8765"

with connect(URI) as websocket:
    for message in ["Hola, Servidor!", "¿Cómo estás? 👋", "Adiós"]:
        websocket.send(message)
        print(f"> {message}")
        print(f"< {websocket.recv()}")
