// @ts-check
// Every word that the page says in Spanish, as it is spoken in Mexico.

import { sizeText } from "../distribution.js";
import { NOW_MS, measures } from "./measures.js";

/** @import { en } from "./en.js" */

const {
  dayTime, decimal, duration, grouped, lag, longTime, mark, percent, rate, roughTime, short,
  significant, span, time, timeToMinute,
} = measures("es-MX");

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
  kernel: (name, bytes) =>
    `${name} es WebAssembly de ${grouped(bytes)} bytes. Solo puede calcular: sin red, sin archivos.`,
  noKernels:
    "Aquí solo se calculan operaciones incluidas: una página puede pedir el código de kernels solo a su propio servidor. Para calcular kernels, abre la página de este servidor.",
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

  values: {
    title: "Resultados",
    plot: "Cada resultado, según su tarea",
    bins: "Cuántos hay de cada tamaño",
    table: "Como tabla",
    index: "Tarea",
    value: "Resultado",
    scale: "Escala",
    linear: "Lineal",
    log: "Logarítmica",
    none: "Aquí se dibujan los resultados de un trabajo.",
    asking: "Pidiendo los resultados …",
    noneYet: "Todavía nada; el dibujo empieza con el primer resultado.",
    noneFinite: "No hay ningún número que dibujar.",
    all: (points) => (points === 1 ? "El único resultado" : `Los ${grouped(points)} resultados`),
    soFar: (points, total) => `${grouped(points)} de ${grouped(total)} resultados hasta ahora`,
    drawn: (points, done) =>
      `${grouped(points)} de ${grouped(done)} resultados, tomados a distancias iguales`,
    infinite: (count) => (count === 1 ? "1 es infinito" : `${grouped(count)} son infinitos`),
    notNumbers: (count) =>
      count === 1 ? "1 no es un número (NaN)" : `${grouped(count)} no son números (NaN)`,
    texts: (count) =>
      count === 1 ? "1 no es un número: está en la tabla" : `${grouped(count)} no son números: están en la tabla`,
    block: (tasks) => `bloques de ${grouped(tasks)} tareas`,
    failedTasks: (count) => (count === 1 ? "1 tarea falló" : `${grouped(count)} tareas fallaron`),
    sizes: (min, median, max) => `Menor ${min} · mediano ${median} · mayor ${max}`,
    task: (index) => `Tarea ${grouped(index)}`,
    bin: (count, from, to) =>
      `${count === 1 ? "1 resultado" : `${grouped(count)} resultados`}\nde ${from} a ${to}`,
    more: (shown, points) => `Los primeros ${grouped(shown)} de ${grouped(points)}`,
    grouped,
    short,
    decimal: mark,
    size: (value, digits) => sizeText(value, digits, significant),
    failed: (why) =>
      `No se pudieron leer los resultados${why && ` (${why})`}. Se vuelve a intentar solo.`,
  },

  workers: {
    title: "Trabajadores",
    search: "Buscar",
    searchHint: "Firefox, Windows, 192.168.1.20, #7",
    previous: "Anteriores",
    next: "Siguientes",
    columns: {
      id: "Quién",
      program: "Programa",
      system: "Sistema",
      slots: "Hilos",
      rate: "Tareas/s",
      results: "Hechas",
      errors: "Errores",
      seen: "Visto",
      lag: "Retraso",
      since: "Conectado",
    },
    unknown: "—",
    empty: "Por ahora nadie calcula. Presiona Empezar, o invita a otros aquí abajo.",
    noMatch: "Ningún trabajador es así.",
    noAgent: "No ha dicho qué es.",
    summary: (workers, slots, perSecond) =>
      [
        workers === 1 ? "1 trabajador" : `${grouped(workers)} trabajadores`,
        slots === 1 ? "1 hilo" : `${grouped(slots)} hilos`,
        `${short(perSecond)} tareas/s`,
      ].join(" · "),
    name: (id) => `#${id}`,
    rate: short,
    count: short,
    ago: (ms) => (ms < NOW_MS ? "ahora" : `hace ${roughTime(ms)}`),
    since: (ms) => (ms < NOW_MS ? "ahora mismo" : roughTime(ms)),
    lag,
    page: (from, to, of) => `${grouped(from)}–${grouped(to)} de ${grouped(of)}`,
    details: (worker, { system, lag, since }) =>
      [
        system,
        `en ${worker.address}${worker.path}`,
        `conectado ${since}`,
        `retraso ${lag}`,
        `${grouped(worker.leases)} préstamos`,
        `${grouped(worker.tasks)} tareas enviadas`,
        `${grouped(worker.results)} hechas`,
        `${grouped(worker.errors)} errores`,
        `${grouped(worker.refused)} mensajes rechazados`,
      ].join(" · "),
  },

  join: {
    title: "Invita a otros",
    how: "Escanea el código, o abre esto en un navegador:",
    copy: "Copiar",
    copied: "Copiado.",
    notCopied: "Este navegador no deja copiar. Ya está seleccionado: presiona Ctrl+C, o mantenlo oprimido.",
    guests:
      "Quien lo abre presta esa pestaña de inmediato, y ve este trabajo. Puede pausarla o cerrarla cuando quiera, y no puede cambiar los trabajos.",
    guestsMayChange:
      "Quien lo abre presta esa pestaña de inmediato, y ve este trabajo. Puede pausarla o cerrarla cuando quiera. Este servidor no pide clave, así que también puede cambiar los trabajos.",
    code: (url) => `Código QR de ${url}`,
    closed: "Solo esta máquina llega al servidor. Para que entren otras, inícialo así:",
    here: "También ayudan más pestañas en esta máquina:",
    another: "Abrir otra pestaña",
  },

  echo: {
    title: "Conexión",
    what: "Lo que envías aquí regresa del servidor, como un eco.",
    state: {
      opening: "Conectando",
      open: "Conectada",
      closed: "Cerrada",
      refused: "Sin conexión: el servidor no está, o no tiene eco",
      foreign: "Este servidor no tiene eco: responde otra cosa, o nada",
    },
    closed: (code, reason) => `Cerrada: ${code}${reason && `, ${reason}`}`,
    again: "Conectar de nuevo",
    log: "Lo enviado y lo recibido",
    message: "Mensaje",
    send: "Enviar",
    sent: "enviado",
    received: "recibido",
    bytes: (bytes) => (bytes === 1 ? "1 byte" : `${grouped(bytes)} bytes`),
    measure: "Medir la ida y vuelta",
    min: "La más rápida",
    median: "Mediana",
    max: "La más lenta",
    unknown: "—",
    trips: (count) => `${grouped(count)} mensajes, uno tras otro`,
    unmeasured: "Sin medir: un mensaje no regresó.",
  },

  chat: {
    title: "Chat",
    state: { joining: "Conectando", open: "Conectado", lost: "Sin conexión" },
    none: "Nadie ha dicho nada todavía.",
    what: "Lo puede leer cualquiera en este servidor.",
    newest: "Mensajes nuevos",
    name: "Tu nombre",
    nameHint: "opcional",
    message: "Mensaje",
    send: "Enviar",
    came: (name, members) => `${name} entró · ${grouped(members)} aquí`,
    went: (name, members) => `${name} salió · ${grouped(members)} aquí`,
    badName: "Un nombre tiene a lo más 40 caracteres, ninguno de control, y no empieza con #.",
    notSent: "Sin enviar: no hay conexión. Lo que escribiste se queda aquí.",
    away: (reason) => `El chat no está${reason && ` (${reason})`}. Se vuelve a intentar solo.`,
  },

  work: {
    away: "El servidor no está. Así estaba todo; se le vuelve a preguntar solo.",
  },

  jobs: {
    title: "Trabajos",
    none: "Todavía no hay nada que calcular. Envía un trabajo y todas las pestañas abiertas empiezan.",
    noneYet:
      "Todavía no hay nada que calcular. Cuando haya un trabajo, todas las pestañas abiertas empiezan.",
    over: "Ya no están en marcha",
    name: (job, name) => name || `Trabajo ${job}`,
    about: (job, name, op) => (name ? `Trabajo ${job} · ${op}` : op),
    state: { running: "En curso", paused: "En pausa", done: "Terminado", cancelled: "Cancelado", damaged: "Dañado" },
    progress: (recorded, total) =>
      `${grouped(recorded)} de ${grouped(total)} (${percent(recorded, total)})`,
    failed: (tasks) => `${grouped(tasks)} ${tasks === 1 ? "falló" : "fallaron"}`,
    leased: (tasks, workers) =>
      `${grouped(tasks)} con ${grouped(workers)} ${workers === 1 ? "trabajador" : "trabajadores"}`,
    rate: (perSecond) => `${perSecond < 10 ? rate(perSecond) : grouped(perSecond)} tareas/s`,
    left: (seconds) => {
      const { count, text } = span(seconds);
      return `${count === 1 ? "falta" : "faltan"} como ${text}`;
    },
    waiting: "esperando a un trabajador",
    second: (tasks) =>
      `${grouped(tasks)} ${tasks === 1 ? "espera" : "esperan"} a un segundo trabajador`,
    audited: (tasks, recorded) => `auditado ${percent(tasks, recorded)}`,
    slow: ({ first, tasks, seconds, times }, divisible) =>
      `Un bloque de las tareas ${grouped(first)} a ${grouped(first + tasks - 1)} tardó ${span(seconds).text}, ${grouped(times)} veces lo normal${divisible ? "; un bloque menor reparte mejor esas tareas" : ""}.`,
    progressOpen: (recorded, total) => `${grouped(recorded)} de ${grouped(total)} hasta ahora`,
    open: "esperando más entradas",
    close: "Cerrar",
    pause: "Pausar",
    resume: "Reanudar",
    cancel: "Cancelar",
    remove: "Quitar",
    results: "Resultados",
    resultsSoFar: "Resultados hasta ahora",
    part: (recorded, total) =>
      `Solo lo guardado cuando empieza la descarga: ahora ${grouped(recorded)} de ${grouped(total)} tareas`,
    all: (over) => `Ver los ${grouped(over)}`,
    fewer: "Ver menos",
    omitted: (jobs) =>
      jobs === 1
        ? "Hay 1 trabajo más que no aparece aquí; “tequio jobs” lo muestra."
        : `Hay ${grouped(jobs)} trabajos más que no aparecen aquí; “tequio jobs” los muestra.`,
    question: {
      close: {
        text: (job) => `¿Cerrar el ${job.replace(/^T/, "t")}?`,
        means: (results, inputs) =>
          `Ya no recibe entradas, y termina con las ${grouped(inputs)} que tiene, de las que ${grouped(results)} están calculadas.`,
        yes: "Cerrar el trabajo",
        no: "Dejarlo esperar",
      },
      cancel: {
        text: (job) => `¿Cancelar el ${job.replace(/^T/, "t")}?`,
        means: (results) => {
          const stay =
            results === 1
              ? "Su único resultado se queda"
              : `Sus ${grouped(results)} resultados se quedan`;
          return `${results === 0 ? "Todavía no tiene resultados" : stay}; ya no se calcula nada más de él.`;
        },
        yes: "Cancelar el trabajo",
        no: "Dejarlo seguir",
      },
      remove: {
        text: (job) => `¿Quitar el ${job.replace(/^T/, "t")}?`,
        means: (results) =>
          results === 1
            ? "Su único resultado se borra del servidor."
            : results === 0
              ? "No tiene resultados."
              : `Sus ${grouped(results)} resultados se borran del servidor.`,
        yes: "Quitar el trabajo",
        no: "Conservarlo",
      },
    },
    trouble: {
      close: (job, why) => `No se pudo cerrar el trabajo ${job}. ${why}`,
      pause: (job, why) => `No se pudo pausar el trabajo ${job}. ${why}`,
      resume: (job, why) => `No se pudo reanudar el trabajo ${job}. ${why}`,
      cancel: (job, why) => `No se pudo cancelar el trabajo ${job}. ${why}`,
      remove: (job, why) => `No se pudo quitar el trabajo ${job}. ${why}`,
    },
  },

  newJob: {
    open: "Nuevo trabajo",
    close: "Cerrar",
    title: "Nuevo trabajo",
    op: "Operación",
    ops: { repeat_multiply: "Cada tarea eleva un factor a una potencia." },
    what: "Cada combinación de estos valores es una tarea.",
    name: "Nombre (opcional)",
    priority: "Prioridad",
    ways: {
      one: "un valor",
      several: "varios",
      range: "un rango, sin su final",
      step: "con su final, en pasos",
    },
    submit: "Enviar",
    total: (tasks) => (tasks === 1 ? "1 tarea" : `${grouped(tasks)} tareas`),
    values: (count, last) => `${grouped(count)} valores; el último, ${significant(last, 15)}`,
    comma: (count, number) =>
      `La coma separa valores: estos son ${grouped(count)}. El número solo se escribe ${number}.`,
    badPriority: "Un número entero, como 0 o 5.",
    integers: (min, max) => `Números enteros de ${grouped(min)} a ${grouped(max)}.`,
    errors: {
      missing: "Aquí falta un valor.",
      not_a_number: "Esto no son números, como 3, 1,2,5 o 0..100.",
      decimal_comma: "La coma separa los valores de una lista. Los decimales van con punto, como 0.5.",
      three_dots: "Un rango lleva dos puntos, como 0..5, o 0..=5 con su final.",
      backwards: "Va al revés: primero se escribe el extremo menor.",
      empty_range: "Este rango está vacío. Escribe ..= para incluir su final.",
      bad_step: "El paso debe ser mayor que 0.",
      too_many_values: `Son demasiados valores. Una lista admite ${grouped(1024)}; un rango, muchos más.`,
      too_many_tasks: "Entre todos son más tareas de las que puede tener un trabajo.",
      not_finite: "Estos números son demasiado grandes.",
      too_long: "Este texto es demasiado largo. Escribe un rango en vez de una lista.",
      bad_axes: "El servidor admite otros ejes para esto.",
      unknown_axis: "El servidor admite otros ejes para esto.",
      missing_axis: "El servidor admite otros ejes para esto.",
    },
  },

  otherServer: {
    text: (host) => `¿Calcular para ${host}?`,
    means:
      "El enlace que seguiste nombra este servidor, que no es del que viene la página. Usaría lo que presta este equipo, y vería su dirección. Se te pregunta una vez.",
    yes: "Calcular para él",
    no: "Quedarse con el de esta página",
  },

  operator: {
    ask: "Yo administro este servidor",
    forget: "Olvidar la clave",
    title: "Clave de operador",
    where:
      "Para enviar y controlar trabajos se necesita la clave que el servidor mostró en su terminal al arrancar. Se guarda solo en esta pestaña, hasta que la cierres.",
    token: "Clave",
    give: "Continuar",
    close: "Cerrar",
    missing: "Primero escribe la clave.",
    wrong: "Esta no es la clave del servidor.",
    impossible: "Esto no es una clave: solo lleva letras simples, cifras y signos, sin acentos ni saltos de línea.",
    stale: "El servidor ya no acepta la clave que diste. Cada vez que arranca muestra la que vale.",
    refused: {
      no_answer: "El servidor no responde.",
      too_many_tries: "Se probaron demasiadas claves equivocadas, y esta es otra. Espera un poco antes de la siguiente.",
      unauthorized: "Hace falta la clave de operador.",
      unknown_job: "El servidor no tiene este trabajo.",
      unknown_op: "El servidor no conoce esta operación. Recarga la página.",
      job_over: "El trabajo ya no está en marcha.",
      job_not_open: "El trabajo ya no espera entradas.",
      job_not_over: "El trabajo todavía no ha terminado.",
      job_set_aside: "El trabajo está dañado: solo se puede quitar.",
      too_many_jobs: "El servidor no guarda más trabajos: quita algunos que ya no estén en marcha.",
      too_many_grids:
        "En el servidor no caben más listas de valores: espera a que termine un trabajo, o usa rangos.",
      busy: "El servidor está ocupado. Intenta de nuevo en un momento.",
      stopping: "El servidor se está deteniendo.",
      store_failing:
        "El disco del servidor está lleno o falla, como dice su registro; nada de lo guardado se pierde.",
      bad_name: "El nombre tiene más de 200 caracteres.",
    },
  },

  foreign: {
    known: {
      0: "Lo que responde aquí lleva a otro lado, quizá a una página de acceso. Recarga la página para verla.",
      200: "Lo que responde aquí no es Tequio, quizá es una página de acceso. Recarga la página para verla.",
      401: "Un proxy delante del servidor pide un usuario y una contraseña propios (401). Recarga la página para escribirlos.",
      403: "Un proxy o filtro delante del servidor no deja pasar esto (403).",
      404: "Lo que responde aquí no es Tequio (404): quizá un proxy lleva a otro lado.",
      413: "Un proxy delante del servidor no acepta algo tan largo (413). En nginx, client_max_body_size sube su límite.",
    },
    away: (status) =>
      `Un proxy delante del servidor responde en su lugar (${status}): el servidor no está, arranca o está ocupado. Intenta de nuevo en un momento.`,
    other: (status) => `Algo delante del servidor respondió en su lugar (${status}).`,
  },

  throughput: {
    title: "Rendimiento",
    unit: "tareas/s",
    empty: "En la última hora no se ha calculado nada. En cuanto alguien calcule, aquí verás qué tan rápido.",
    spansTitle: "Tiempo que se ve",
    spans: { minute: "1 min", minutes5: "5 min", minutes15: "15 min", hour: "1 h" },
    kinds: {
      native: "tequio work",
      chrome: "Chrome",
      edge: "Edge",
      firefox: "Firefox",
      safari: "Safari",
      other: "Otros",
    },
    now: "Ahora",
    all: "Total",
    between: (from, to) => `${from} a ${to}`,
    chart: (rate) => `Tareas por segundo, ahora ${rate}. Las flechas recorren los segundos.`,
    pointed: (when, all, kinds) => `${when}: ${[`${all} tareas por segundo`, ...kinds].join(", ")}`,
    table: "Como tabla",
    caption: "Tareas en cada minuto",
    minute: "Minuto",
    short,
    grouped,
    timeToMinute,
  },

  stream: {
    title: "Flujo de tareas",
    nobody: "Todavía no hay trabajadores: empieza en esta pestaña, o abre esta página en otro equipo.",
    idleAll: "Todos aquí esperan trabajo. Cada parte que se reparta se verá como una barra.",
    spans: { half: "30 s", one: "1 min", two: "2 min" },
    ago: (seconds) => `hace ${grouped(seconds)} s`,
    worker: (id, program) => (program ? `#${id} ${program}` : `#${id}`),
    left: (worker) => `${worker} (se fue)`,
    slot: (worker, slot) => `${worker}, hilo ${slot}`,
    tasks: (tasks, time) => `${grouped(tasks)} ${tasks === 1 ? "tarea" : "tareas"} en ${time}`,
    states: {
      open: "en cálculo",
      answered: "terminado",
      returned: "devuelto",
      lost: "perdido; lo calcula alguien más",
    },
    picture: (slots, workers, lost) =>
      `Quién calculó qué, y cuándo: hilos ${grouped(slots)}, trabajadores ${grouped(workers)}, préstamos perdidos ${grouped(lost)}`,
    idle: "Sin trabajo",
    returned: "Devuelto",
    lost: "Perdido",
    moreJobs: (jobs) => `y ${grouped(jobs)} ${jobs === 1 ? "trabajo" : "trabajos"} más`,
    omitted: (drawn, slots) => `Se ven ${grouped(drawn)} de ${grouped(slots)} hilos.`,
    kept: (seconds) => `Solo se guardan los últimos ${grouped(seconds)} s: lo anterior está rayado.`,
    table: "Como tabla",
    caption: "Qué fue de los préstamos que se ven",
    columns: {
      worker: "Trabajador",
      answered: "Terminados",
      returned: "Devueltos",
      lost: "Perdidos",
      busy: "Ocupado",
    },
    percent: (percent) => `${grouped(percent)} %`,
  },

  // Of the tab, and so in the feminine.
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
  countdown: (seconds) => `Próximo intento en ${grouped(seconds)} s`,
  dayTime,
  duration,
  grouped,
  longTime,
  time,
  tasksPerSecond: (perSecond) => `${rate(perSecond)} tareas por segundo`,
  coresOf: (cores, max) => `${grouped(cores)} de ${grouped(max)} ${max === 1 ? "núcleo" : "núcleos"}`,
  shareOf: (percent) => `${grouped(percent)} % de cada núcleo`,
  sharedOut: (slots, cores, tabs) =>
    `Aquí trabajan ${grouped(slots)} de ${grouped(cores)} núcleos; ${grouped(tabs)} pestañas los comparten`,
  slots: (computing, slots, busy) => {
    if (computing === 0) {
      return slots === 1 ? "1 núcleo, inactivo" : `${grouped(slots)} núcleos, todos inactivos`;
    }
    const who = slots === 1 ? "1 núcleo" : `${grouped(computing)} de ${grouped(slots)} núcleos`;
    return `${who} ${computing === 1 ? "calcula" : "calculan"} el ${grouped(busy)} % del tiempo`;
  },

  logged: {
    connecting: (attempt) => (attempt === 1 ? "Conectando" : `Conectando, intento ${grouped(attempt)}`),
    connected: "Conectada",
    disconnected: (reason, seconds) =>
      `Se cerró: ${reason}. Próximo intento en ${decimal(seconds, 1)} s`,
    paused: "En pausa",
    task: (id, text) => `Llegó la tarea ${id}: ${text}`,
    result: (id, result) => `Se envió el resultado de la tarea ${id}: ${result}`,
  },

  broken: (why) =>
    `Esta parte no se puede mostrar (${why}); todo lo demás sigue. Recarga la página o prueba un navegador más nuevo.`,

  whyNot: ({ kind, said }) =>
    ({
      away: "",
      upgrade:
        "Un proxy entre esta página y el servidor no deja pasar WebSockets: tiene que transmitir las cabeceras Upgrade y Connection.",
      refused: `El servidor rechaza esta página: ${said}`,
      password: "Un proxy delante del servidor pide una contraseña. Recarga la página para darla.",
      moved: "Un proxy delante del servidor lleva a otra parte, quizá a iniciar sesión. Recarga la página.",
      proxy: `Otra cosa responde en lugar del servidor (${said}): un proxy que no llega a él, o que no deja pasar a nadie.`,
    })[kind],

  error: {
    lacking: (name) =>
      `Aquí no se puede calcular nada: este navegador no tiene ${name}, o no puede usarlo. Tequio funciona en Chrome y Edge 96, Firefox 114, Safari 15 y posteriores.`,
    badServer: (text) =>
      `El server=${text} de la dirección no es un servidor. Debe ser como server=ws://192.168.1.20:8765`,
    noWorker:
      "No se pudo cargar el programa que calcula. Recarga la página; si eso no ayuda, la página del servidor está incompleta.",
    brokenWorker: (reason) =>
      `El programa que calcula falló (${reason}). Recarga la página; si eso no ayuda, la página del servidor está incompleta, o este navegador es demasiado viejo para ella.`,
    silentWorker: (seconds) =>
      `El programa que calcula no ha empezado en ${grouped(seconds)} s. Si la red es lenta, sus archivos vienen en camino y empezará solo; si no, recarga la página o prueba con un navegador más nuevo.`,
  },
};
