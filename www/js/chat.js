// @ts-check
// The chat beside the work. Whatever is said in it is text, and nothing else.

import { ChatRoom, EVENTS_MAX, nameFrom } from "./chat-room.js";
import { element, input, setText } from "./dom.js";
import { onVisibility } from "./lifecycle.js";
import { LogBox, part, timePart } from "./log-box.js";
import { onLanguage, strings } from "./strings.js";
import { WhyNot } from "./why-not.js";

/** @typedef {import("./chat-room.js").Happening} Happening */
/** @typedef {import("./keep.js").Keeper} Keeper */

export const NAME_KEY = "tequio-chat-name";

/** Colours that names have, as work.css has them. */
const SERIES = 8;

/** @type {ChatRoom} */
let room;
/** @type {LogBox} */
let log;
/** @type {WhyNot} */
let why;
/** @type {URL} */
let url;
/** @type {Keeper} */
let keeper;
/** What is wrong with what was typed last, by its string.
 * @type {"badName" | "notSent" | null} */
let wrong = null;
/** Whether what was typed is to be said as soon as that is possible. */
let isToSay = false;

/** @param {URL} chat Where the server's is. @param {Keeper} ofBrowser */
export function setUp(chat, ofBrowser) {
  [keeper, url] = [ofBrowser, chat];
  why = new WhyNot(show);
  const name = nameFrom(keeper.getItem(NAME_KEY) ?? "") ?? "";
  input("chat-name").value = name;
  log = new LogBox(element("chat-log"), EVENTS_MAX, (isMissed) => {
    element("chat-newest").hidden = !isMissed;
  });
  room = new ChatRoom(name, (name) => new WebSocket(addressOf(chat, name)), {
    added: addLine,
    replaced: drawAll,
    changed: linkChanged,
    unsent: giveBack,
  });
  input("chat-name").addEventListener("change", takeName);
  input("chat-text").addEventListener("input", () => (isToSay = false));
  element("chat-form").addEventListener("submit", (event) => {
    event.preventDefault();
    // Enter in the name's field is done with the name.
    if (document.activeElement === input("chat-name")) {
      return takeName() && input("chat-text").focus();
    }
    sayTyped();
  });
  element("chat-newest").addEventListener("click", () => {
    log.toEnd();
    input("chat-text").focus();
  });
  onLanguage(() => {
    drawAll();
    show();
  });
  onVisibility({ shown: () => room.enter(), hidden: () => room.leaveSoon() });
  addEventListener("online", () => document.hidden || room.enter());
}

/** @param {URL} chat @param {string} name */
function addressOf(chat, name) {
  const url = new URL(chat);
  url.searchParams.set("format", "json");
  if (name !== "") {
    url.searchParams.set("name", name);
  }
  return url;
}

/** Whether the server would take what the name's field holds. */
function takeName() {
  const field = input("chat-name");
  const name = nameFrom(field.value);
  wrong = name === null ? "badName" : null;
  field.setAttribute("aria-invalid", String(name === null));
  if (name !== null) {
    field.value = name;
    keeper.setItem(NAME_KEY, name);
    room.rename(name);
  }
  show();
  return name !== null;
}

function sayTyped() {
  const field = input("chat-text");
  const isOnItsWay = field.value.trim() !== "" && room.say(field.value);
  if (isOnItsWay) {
    field.value = "";
    log.toEnd();
  }
  // Whoever has just changed their name waits for a moment, not for nothing.
  isToSay = !isOnItsWay && room.link === "joining" && field.value.trim() !== "";
  wrong = room.link === "lost" && field.value.trim() !== "" ? "notSent" : null;
  field.focus();
  show();
}

function linkChanged() {
  if (room.link === "lost") {
    void why.disconnected(url.href);
    wrong = isToSay ? "notSent" : wrong;
    isToSay = false;
  } else if (room.link === "open") {
    why.connected();
    wrong = wrong === "notSent" ? null : wrong;
    if (isToSay) {
      sayTyped();
    }
  }
  show();
}

/** What may not have been heard by anybody is there to be said again, before what is being typed.
 * @param {string[]} texts */
function giveBack(texts) {
  const field = input("chat-text");
  field.value = [...texts, field.value].join(" ").trim();
  wrong = "notSent";
  show();
}

// ---- The screen ---------------------------------------------------------------------------------

function show() {
  const words = strings.chat;
  const { link, isAway, reason, self } = room;
  element("chat-state").dataset.state = link;
  setText("chat-state-text", words.state[link]);
  input("chat-name").placeholder = self || words.nameHint;
  const known = why.why && strings.whyNot(why.why);
  const how = isAway ? (known ?? words.away(reason)) : words.what;
  element("chat-said").classList.toggle("wrong", wrong !== null);
  setText("chat-said", wrong ? words[wrong] : how);
}

function drawAll() {
  element("chat-none").hidden = room.happenings.length > 0;
  log.replace(room.happenings.map(lineOf));
}

/** @param {Happening} happening */
function addLine(happening) {
  element("chat-none").hidden = true;
  log.add(lineOf(happening));
}

/** @param {Happening} happening */
function lineOf({ event, at, isMine }) {
  const line = document.createElement("p");
  const what = document.createElement("span");
  if ("from" in event) {
    const name = part("b", event.from);
    name.style.setProperty("--who", `var(--series-${hueOf(event.from)})`);
    line.className = isMine ? "mine" : "";
    what.append(name, " ", event.text);
  } else {
    line.className = "quiet";
    const { came, went } = strings.chat;
    what.append("joined" in event ? came(event.joined, event.members) : went(event.left, event.members));
  }
  line.append(what, " ", timePart(at, strings.dayTime(at, new Date())));
  return line;
}

/** The same for the same name, everywhere. @param {string} name */
function hueOf(name) {
  return [...name].reduce((sum, char) => (31 * sum + (char.codePointAt(0) ?? 0)) % 9973, 0) % SERIES;
}
