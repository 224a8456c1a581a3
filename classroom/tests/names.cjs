// @ts-nocheck: its library is not where its checker looks.
// The same in Node: names.cjs URL TRANSPORTS
const { io } = require("socket.io-client");

const [, , url, transports] = process.argv;
const socket = io(url, { transports: transports.split(","), reconnection: false });
const names = ["mañana", "¿Cómo estás?", 'dice "hola"', "C:\\temp", "dos\nlíneas", "", 7, "mitad \ud83d"];

socket.on("disconnect", (reason) => console.log("disconnected", reason));
socket.on("connect", async () => {
  for (const name of names) {
    console.log(JSON.stringify(name), JSON.stringify(await socket.emitWithAck(name, { eñe: 1 })));
  }
  for (const size of [786_432, 1_000_000]) {
    console.log(size, "bytes", JSON.stringify(await socket.emitWithAck("foto", Buffer.alloc(size))));
    const text = "x".repeat(size);
    console.log(size, "letters", JSON.stringify(await socket.emitWithAck("texto", text)));
  }
  // More than it takes: it is told so, and does not wait for ever.
  socket.emit("foto", Buffer.alloc(2_000_000));
});
