// @ts-check
// Every word that the page says in Spanish, as it is spoken in Mexico.

import { measures } from "./measures.js";

/** @import { en } from "./en.js" */

const { decimal, duration, longTime, rate, time } = measures("es-MX");

/** @type {typeof en} */
export const es = {
  language: "Idioma",
  tagline: "Esta pestaña calcula para otros mientras está abierta.",
  tab: "Tu pestaña",
  start: "Empezar",
  goOn: "Seguir",
  pause: "Pausar",
  finish: "Terminar y parar",
  computing: "Calculando",
  idle: "Nada por ahora; la siguiente tarea llega sola.",
  offline: "Nada hasta que haya conexión.",
  stopped: "Aquí no se calcula nada hasta que presiones Empezar.",
  pausing: "Lo que esté listo en un segundo se envía; lo demás regresa al servidor.",
  finished: "Nada más; esta pestaña va a parar.",
  speed: "Velocidad",
  lending: "Lo que prestas",
  cores: "Cuántos núcleos",
  share: "Qué tan fuerte",
  onBattery: "La mitad: este equipo usa su batería",
  lent: "Lo que has prestado",
  spans: { here: "Esta vez", today: "Hoy", ever: "En total" },
  count: "Tareas",
  coreTime: "Tiempo de núcleo",
  results: "Últimos resultados",
  noResults: "Todavía nada. El primer resultado llega después de la primera tarea.",
  columns: { task: "Tarea", input: "Entrada", result: "Resultado", duration: "Tiempo" },
  log: "Registro",
  retryNow: "Intentar ahora",
  tryAgain: "Intentar de nuevo",

  // Of the tab, and so in the feminine.
  work: {
    away: "El servidor no está. Así estaba todo; se le vuelve a preguntar solo.",
  },

  state: {
    starting: "Iniciando",
    connecting: "Conectando",
    connected: "Conectada",
    waiting: "Sin conexión",
    failed: "Aquí no se puede calcular",
    ready: "Lista para empezar",
    paused: "En pausa",
    pausing: "Pausando",
    finishing: "Terminando lo pendiente",
  },

  job: (job, name) => (name ? `Trabajo ${job} “${name}”` : `Trabajo ${job}`),
  ops: (ops) => `${ops} · `,
  several: (jobs) => jobs.join(", "),
  taskOf: (job, task) => `${job}/${task}`,
  server: (url) => `Servidor ${url}`,
  countdown: (seconds) => `Próximo intento en ${seconds} s`,
  duration,
  longTime,
  time,
  tasksPerSecond: (perSecond) => `${rate(perSecond)} tareas por segundo`,
  coresOf: (cores, max) => `${cores} de ${max} ${max === 1 ? "núcleo" : "núcleos"}`,
  shareOf: (percent) => `${percent} % de cada núcleo`,
  sharedOut: (slots, cores, tabs) =>
    `Aquí trabajan ${slots} de ${cores} núcleos; ${tabs} pestañas los comparten`,
  slots: (computing, slots, busy) => {
    if (computing === 0) {
      return slots === 1 ? "1 núcleo, inactivo" : `${slots} núcleos, todos inactivos`;
    }
    const who = slots === 1 ? "1 núcleo" : `${computing} de ${slots} núcleos`;
    return `${who} ${computing === 1 ? "calcula" : "calculan"} el ${busy} % del tiempo`;
  },

  logged: {
    connecting: (attempt) => (attempt === 1 ? "Conectando" : `Conectando, intento ${attempt}`),
    connected: "Conectada",
    disconnected: (reason, seconds) =>
      `Se cerró: ${reason}. Próximo intento en ${decimal(seconds, 1)} s`,
    paused: "En pausa",
    task: (id, text) => `Llegó la tarea ${id}: ${text}`,
    result: (id, result) => `Se envió el resultado de la tarea ${id}: ${result}`,
  },

  error: {
    badServer: (text) =>
      `El server=${text} de la dirección no es un servidor. Debe ser como server=ws://192.168.1.20:8765`,
    noWorker:
      "No se pudo cargar el programa que calcula. Recarga la página; si eso no ayuda, la página del servidor está incompleta.",
    brokenWorker: (reason) =>
      `El programa que calcula falló (${reason}). Recarga la página; si eso no ayuda, la página del servidor está incompleta, o este navegador es demasiado viejo para ella.`,
    silentWorker: (seconds) =>
      `El programa que calcula no ha empezado en ${seconds} s. Si la red es lenta, sus archivos vienen en camino y empezará solo; si no, recarga la página o prueba con un navegador más nuevo.`,
  },
};
