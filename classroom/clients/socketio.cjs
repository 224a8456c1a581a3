// Cliente de Socket.IO. El segundo argumento dice los transportes: polling,websocket
const { io } = require("socket.io-client");

const url = process.argv[2] || "http://127.0.0.1:8765";
const transports = process.argv[3] ? process.argv[3].split(",") : undefined;
const socket = io(url, transports ? { transports } : {});

socket.on("connect", () => {
  console.log("Conectado");
  console.log("Transporte:", socket.io.engine.transport.name);
  socket.io.engine.on("upgrade", (transport) => console.log("Transporte:", transport.name));
  socket.emit("message", "Hola, Servidor!");
  socket.emit("message", { texto: "¿Cómo estás?", n: 1 }, (answer) => {
    console.log("Respuesta:", JSON.stringify(answer));
  });
});

socket.on("disconnect", () => {
  console.log("Desconectado");
  process.stdin.destroy();
});

socket.on("connect_error", (error) => {
  console.log("Error:", error.message);
});

// Intro para salir.
process.stdin.once("data", () => socket.disconnect());
