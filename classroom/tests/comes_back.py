"""A client that waits for its server to come back, and is answered then."""

import sys
import threading

import socketio

connections = 0
is_back = threading.Event()
sio = socketio.Client(reconnection_delay=0.2, reconnection_delay_max=1)


@sio.event
def connect():
    global connections
    connections += 1
    print("connected", connections)
    if connections == 2:
        is_back.set()


@sio.event
def disconnect(reason=None):
    print("disconnected")


sio.connect(sys.argv[1], transports=sys.argv[2].split(","))
is_back.wait()
print("answered", sio.call("message", "I am back"))
sio.disconnect()
