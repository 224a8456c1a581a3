// @ts-check
// A box of lines, the newest at its end, which follows the newest unless somebody reads what was
// before.

import { onResize } from "./dom.js";

/** How far from the end one may be and still be at it: browsers round where they scroll to. */
const END_PX = 8;

/** How long nothing is read aloud when all lines are drawn anew: they are not news. */
const QUIET_MS = 500;

export class LogBox {
  #box;
  #max;
  #missed;
  /** Whether the newest is seen, and the next is to be. */
  #isAtEnd = true;
  /** How wide it was when that was found out, in pixels. */
  #width = 0;
  /** @type {HTMLElement[]} Lines of the next frame: a flood costs one layout a frame. */
  #next = [];
  #isDue = false;

  /** @param {HTMLElement} box @param {number} max The lines that it keeps.
   * @param {(isMissed: boolean) => void} [missed] Called when there are lines below what is seen,
   * and when there are not any more. */
  constructor(box, max, missed = () => {}) {
    this.#box = box;
    this.#max = max;
    this.#missed = missed;
    box.addEventListener("scroll", () => this.#look(), { passive: true });
    // Lines break elsewhere in a box of another width, and one that was folded has been nowhere.
    onResize(box, () => {
      this.#width = box.clientWidth;
      if (this.#isAtEnd) {
        this.toEnd();
      }
    });
  }

  /** @param {HTMLElement} line */
  add(line) {
    this.#next.push(line);
    // A hidden page has no frames.
    if (this.#next.length > this.#max) {
      this.#next.shift();
    }
    if (!this.#isDue) {
      this.#isDue = true;
      requestAnimationFrame(() => this.#draw());
    }
  }

  /** @param {HTMLElement[]} lines */
  replace(lines) {
    this.#next = [];
    this.#box.setAttribute("aria-live", "off");
    setTimeout(() => this.#box.removeAttribute("aria-live"), QUIET_MS);
    this.#box.replaceChildren(...lines.slice(-this.#max));
    if (this.#isAtEnd) {
      this.toEnd();
    }
  }

  toEnd() {
    this.#isAtEnd = true;
    this.#box.scrollTop = this.#box.scrollHeight;
    this.#missed(false);
  }

  #draw() {
    this.#isDue = false;
    if (this.#next.length === 0) {
      return;
    }
    this.#box.append(...this.#next);
    this.#next = [];
    while (this.#box.children.length > this.#max) {
      this.#box.firstElementChild?.remove();
    }
    if (this.#isAtEnd) {
      this.toEnd();
    } else {
      this.#missed(true);
    }
  }

  #look() {
    const { scrollHeight, scrollTop, clientHeight, clientWidth } = this.#box;
    if (clientWidth !== this.#width) {
      // It was not a person that scrolled it.
      return;
    }
    this.#isAtEnd = scrollHeight - scrollTop - clientHeight < END_PX;
    if (this.#isAtEnd) {
      this.#missed(false);
    }
  }
}

/** A part of a line. @param {string} name Of its element. @param {string} text */
export function part(name, text, className = "") {
  return Object.assign(document.createElement(name), { textContent: text, className });
}

/** When a line was written. @param {Date} at @param {string} text */
export function timePart(at, text) {
  const time = document.createElement("time");
  return Object.assign(time, { dateTime: at.toISOString(), textContent: text });
}
