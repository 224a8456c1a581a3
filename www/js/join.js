// @ts-check
// How others join: the address and its QR code, or what to do where nobody else reaches the server.

import { copyTextOf } from "./copy.js";
import { element, setText } from "./dom.js";
import { strings } from "./strings.js";

/** @typedef {import("./live.js").Live} Live */
/** @typedef {import("./protocol.js").ServerView} ServerView */

/** How long it says that something was copied: long enough to be seen, short enough that the next
 * time is seen too. */
const SAID_MS = 6000;

/** @type {ServerView | null} What the server said last. */
let server = null;
/** Whether it is asked, or has answered, since it was away last. */
let isAsked = false;
/** What came of copying, in the language of the moment. */
let said = () => "";
/** @type {ReturnType<typeof setTimeout> | undefined} */
let silence;

export function setUp() {
  const image = /** @type {HTMLImageElement} */ (element("join-code"));
  image.addEventListener("error", () => (image.hidden = true));
  image.addEventListener("load", () => (image.hidden = false));
  for (const [button, text] of [["join-copy", "join-link"], ["join-copy-command", "join-command"]]) {
    element(button).addEventListener("click", () => copy(text));
  }
}

/** @param {Live} live */
export function show(live) {
  // A server that was away may be another one, on another address.
  if (live.link !== "live") {
    isAsked = false;
  } else if (!isAsked) {
    isAsked = true;
    ask();
  }
  draw();
}

async function ask() {
  try {
    const answer = await fetch("api/server");
    isAsked = answer.ok;
    server = answer.ok ? await answer.json() : server;
  } catch {
    // It will be asked again with its next telling.
    isAsked = false;
  }
  draw();
}

/** The folder that this page is in: a proxy may have put it below any, of which the server knows
 * nothing. */
function ownPath() {
  return new URL(".", document.baseURI).pathname;
}

function draw() {
  // At a root it is said without its slash.
  const join = server?.join ? server.join + ownPath().replace(/^\/$/, "") : null;
  element("join").hidden = server === null;
  element("join-open").hidden = join === null;
  element("join-closed").hidden = join !== null;
  setText("join-said", said());
  if (server && join !== null) {
    drawLink(server, join);
  }
}

/** @param {ServerView} server @param {string} join */
function drawLink(server, join) {
  const words = strings.join;
  const link = /** @type {HTMLAnchorElement} */ (element("join-link"));
  const image = /** @type {HTMLImageElement} */ (element("join-code"));
  setText("join-guests", server.needs_token ? words.guests : words.guestsMayChange);
  image.alt = words.code(join);
  if (link.textContent !== join) {
    link.textContent = join;
    link.href = join;
    // Each address has an image of its own: one that a browser has kept may be another's.
    image.src = `api/join.svg?${new URLSearchParams({ path: ownPath(), of: join })}`;
  }
}

/** @param {string} id Of what shows the text. */
async function copy(id) {
  const isCopied = await copyTextOf(element(id));
  said = () => (isCopied ? strings.join.copied : strings.join.notCopied);
  clearTimeout(silence);
  silence = setTimeout(() => {
    said = () => "";
    draw();
  }, SAID_MS);
  draw();
}
