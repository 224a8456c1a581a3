"""Cliente de Socket.IO sin asyncio. El segundo argumento dice los transportes: polling,websocket"""

import sys

import socketio

URL = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8765"
TRANSPORTS = sys.argv[2].split(",") if len(sys.argv) > 2 else None

sio = socketio.Client()


@sio.event
def connect():
    print("Conectado")


@sio.event
def disconnect(reason=None):
    print("Desconectado")


sio.connect(URL, transports=TRANSPORTS)
sio.emit("message", "Hola, Servidor!")
print("Respuesta:", sio.call("message", {"texto": "¿Cómo estás?", "n": 1}))
print("Transporte:", sio.transport())
sio.disconnect()
