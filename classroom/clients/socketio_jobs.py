"""Se une al servidor con Socket.IO y muestra los trabajos, los trabajadores y los resultados."""

import asyncio
import sys

import socketio

URL = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8765"
TRANSPORTS = sys.argv[2].split(",") if len(sys.argv) > 2 else None

sio = socketio.AsyncClient()


@sio.on("job")
def on_job(job):
    if job.get("removed"):
        print(f"Trabajo {job['id']}: quitado")
    else:
        print(f"Trabajo {job['id']}: {job['state']} {job['done']}/{job['total']}")


@sio.on("worker")
def on_worker(worker):
    print(f"Trabajador {worker['id']}: {'se fue' if worker.get('left') else 'está'}")


@sio.on("result")
def on_result(result):
    print(f"Resultado {result['job']}/{result['index']}: {result.get('result')}")


async def main():
    await sio.connect(URL, transports=TRANSPORTS)
    await sio.emit("join")
    print("Pulsa Intro para salir")
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    await sio.emit("leave")
    await sio.disconnect()


if __name__ == "__main__":
    asyncio.run(main())
