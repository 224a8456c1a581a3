// @ts-check
// One's own connection, by hand: what is sent to the server's echo, what comes back, and how long
// that takes. It is connected while it is unfolded: a thousand tabs keep no thousand idle sockets.

import { element, input, setText } from "./dom.js";
import { LogBox, part, timePart } from "./log-box.js";
import { TRIPS, roundTrips, summary } from "./round-trip.js";
import { onLanguage, strings } from "./strings.js";
import { whyNot } from "./why-not.js";

/** Lines that are kept. */
const LINES_MAX = 100;
/** Characters of a message that are shown: an echo may be as long as a book. */
const SHOWN_CHARS_MAX = 1000;
/** How long an answer is waited for: far longer than the poorest network takes. */
const ANSWER_MS_MAX = 10_000;

/** What is sent on connecting; whoever does not send it back is no echo. */
const HELLO = "hello";

/** `refused` had no connection, `foreign` is somebody else's.
 * @typedef {"closed" | "opening" | "open" | "refused" | "foreign"} State */

/** @type {URL} */
let url;
let isOwn = false;
/** Why it was refused, where that is known.
 * @type {import("./why-not.js").Why | null} */
let why = null;
/** @type {WebSocket | null} */
let socket = null;
/** @type {State} */
let state = "closed";
/** The close frame of a connection that is over. */
let end = { code: 0, reason: "" };
/** @type {LogBox} */
let log;
/** Whoever waits for what was sent to come back.
 * @type {{ text: string, settle: (isBack: boolean) => void } | null} */
let asked = null;
/** @type {ReturnType<typeof summary> | null} */
let measured = null;
let isMeasuring = false;
/** How it is measured, or why it was not, in the language of the moment. */
let said = howMeasured;

/** @param {URL} echo Where the server's is. @param {boolean} own Whether that is the page's own. */
export function setUp(echo, own) {
  url = echo;
  isOwn = own;
  log = new LogBox(element("echo-log"), LINES_MAX);
  const details = /** @type {HTMLDetailsElement} */ (element("echo-details"));
  details.addEventListener("toggle", () => (details.open ? connect() : disconnect()));
  element("echo-again").addEventListener("click", () => {
    connect();
    input("echo-text").focus();
  });
  element("echo-form").addEventListener("submit", (event) => {
    event.preventDefault();
    sendTyped();
  });
  element("echo-measure").addEventListener("click", () => void measure());
  element("echo").hidden = false;
  onLanguage(show);
  show();
}

function connect() {
  disconnect();
  why = null;
  become("opening");
  try {
    socket = new WebSocket(url);
  } catch {
    // A page of https may not ask a server without it.
    return become("refused");
  }
  socket.binaryType = "arraybuffer";
  socket.onopen = () => void greet();
  socket.onmessage = ({ data }) => hear(data);
  socket.onclose = ({ code, reason }) => {
    end = { code, reason };
    const isRefused = state === "opening";
    over(isRefused ? "refused" : "closed");
    if (isRefused && isOwn) {
      void askWhyNot();
    }
  };
}

async function askWhyNot() {
  const found = await whyNot(url);
  if (state === "refused" && found.kind !== "away") {
    why = found;
    become("refused");
  }
}

async function greet() {
  become("open");
  const greeted = socket;
  try {
    send(HELLO);
    await back(HELLO);
  } catch {
    // Others wait for a message that this one never sends, or count on it for work.
    if (socket === greeted && state === "open") {
      over("foreign");
    }
  }
}

function disconnect() {
  if (socket) {
    end = { code: 1000, reason: "" };
    over("closed");
  }
}

/** @param {State} next */
function over(next) {
  if (socket) {
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
    socket = null;
  }
  become(next);
  asked?.settle(false);
}

/** @param {State} next */
function become(next) {
  state = next;
  addLine("", stateText());
  show();
}

// ---- Messages -----------------------------------------------------------------------------------

function sendTyped() {
  const { value } = input("echo-text");
  if (value !== "" && state === "open") {
    send(value);
    input("echo-text").value = "";
  }
}

/** @param {string} text */
function send(text) {
  socket?.send(text);
  addLine(">", text);
}

/** @param {unknown} data */
function hear(data) {
  const text = typeof data === "string" ? data : strings.echo.bytes(Object(data).byteLength);
  const isBack = asked !== null && text.endsWith(asked.text);
  // Those of a measurement are too many to read.
  if (!isMeasuring || !isBack) {
    addLine("<", text);
  }
  // Whoever first says something else is no echo; later, others' answers may come between.
  if (isBack || asked?.text === HELLO) {
    asked?.settle(isBack);
  }
}

/** Waits until what was sent has come back; errs if it does not. @param {string} text
 * @returns {Promise<void>} */
function back(text) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => settle(false), ANSWER_MS_MAX);
    const settle = (/** @type {boolean} */ isBack) => {
      clearTimeout(late);
      asked = null;
      return isBack ? resolve() : reject(new Error(`"${text}" has not come back`));
    };
    asked = { text, settle };
  });
}

async function measure() {
  if (state !== "open" || asked) {
    return;
  }
  isMeasuring = true;
  said = howMeasured;
  show();
  try {
    const times = await roundTrips((text) => {
      socket?.send(text);
      return back(text);
    });
    measured = summary(times);
  } catch {
    said = () => strings.echo.unmeasured;
  }
  isMeasuring = false;
  show();
}

function howMeasured() {
  return strings.echo.trips(TRIPS);
}

// ---- The screen ---------------------------------------------------------------------------------

function stateText() {
  const words = strings.echo;
  if (state === "refused" && why) {
    return strings.whyNot(why);
  }
  return state === "closed" && end.code > 0 ? words.closed(end.code, end.reason) : words.state[state];
}

function show() {
  element("echo-state").dataset.state = state;
  setText("echo-state-text", stateText());
  setText("echo-url", url.href);
  element("echo-again").hidden = state === "open" || state === "opening";
  const measuring = element("echo-measure");
  measuring.setAttribute("aria-disabled", String(state !== "open"));
  measuring.setAttribute("aria-busy", String(isMeasuring));
  element("echo-send").setAttribute("aria-disabled", String(state !== "open"));
  for (const name of /** @type {const} */ (["min", "median", "max"])) {
    setText(`echo-${name}`, measured ? strings.duration(measured[name]) : strings.echo.unknown);
  }
  setText("echo-said", said());
}

/** @param {"" | ">" | "<"} mark Which way it went. @param {string} text */
function addLine(mark, text) {
  const at = new Date();
  const cut = text.length > SHOWN_CHARS_MAX ? `${text.slice(0, SHOWN_CHARS_MAX)} …` : text;
  const line = part("p", "", mark === "" ? "quiet" : "");
  const way = part("b", mark);
  if (mark !== "") {
    way.setAttribute("role", "img");
    way.setAttribute("aria-label", mark === ">" ? strings.echo.sent : strings.echo.received);
  }
  line.append(timePart(at, strings.time(at)), way, part("span", cut));
  log.add(line);
}
