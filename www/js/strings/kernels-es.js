// @ts-check
// Lo que la página dice de los kernels en español.

import { measures } from "./measures.js";

/** @typedef {typeof import("./kernels-en.js").en} Words */

const { duration, grouped } = measures("es-MX");

/** @param {number} bytes */
const sized = (bytes) => (bytes === 1 ? "1 byte" : `${grouped(bytes)} bytes`);

/** @type {Words} */
export const es = {
  group: "Kernels",
  pick: "Un módulo de un archivo…",
  drop: "o suelta aquí un módulo de WebAssembly",
  dropNow: "Suelta para añadir este módulo",
  sending: (file) => `Añadiendo ${file}…`,
  added: (file, name) => `${file} es el kernel ${name}.`,
  refused: (file, why) => `${file} no se añadió. ${why}`,
  tooLarge: (bytes, max) => `Tiene ${sized(bytes)}; caben ${grouped(max)} como máximo.`,
  several: "Suelta un solo archivo.",
  forms: {
    numbers: "recibe números y da un número",
    json: "recibe JSON y da JSON",
    command: "un comando: recibe una línea y da una línea",
  },
  about: (form, size) => `WebAssembly, ${size}; ${form}.`,
  sized,
  confined: "Solo puede calcular: sin red, sin archivos, sin reloj.",
  nameOf: (name) => `Nombre de ${name}`,
  nameHint: "nombre (opcional)",
  addAxis: "Un eje más",
  removeAxis: "Un eje menos",
  kinds: {
    i32: "un entero de 32 bits",
    i64: "un entero",
    f32: "un número de 32 bits",
    f64: "un número",
  },
  names: {
    bad_axis_name: "Un nombre tiene letras, cifras y _, y no empieza con una cifra.",
    name_twice: "Otro eje tiene este nombre.",
    unknown_axis: "El kernel no tiene un eje con este nombre.",
    other_axes: "Un kernel tiene de 1 a 8 ejes.",
  },
  data: "Datos para cada tarea de un archivo…",
  dataWhat: "Este kernel puede recibir un archivo, que leen todas sus tareas.",
  dataIs: (name, bytes) => `${name}, ${sized(bytes)}`,
  dataNone: "Sin él",
  tryIt: "Probar aquí",
  stop: "Detener",
  trying: "Calculando una tarea en esta pestaña…",
  result: (input, result, ms) => `${input} → ${result} (${duration(ms)})`,
  error: (input, error, ms) => `${input} → error: ${error} (${duration(ms)})`,
  late: (input, seconds) => `${input} no se calculó en ${grouped(seconds)} s, y se detuvo.`,
  stopped: "Detenido.",
  gaveUp: (why) => `Esta pestaña no pudo calcularla: ${why}`,
  more: "Más",
  block: "Tareas en un bloque (opcional)",
  blockNote: "Una instancia nueva calcula cada bloque. El servidor mide lo mejor.",
  badBlock: (max) => `Una potencia de dos de 1 a ${grouped(max)}, como 64.`,
};
