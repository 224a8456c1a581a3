// @ts-check
// The switch between the languages: a button for each, in its own language.

import { element } from "./dom.js";
import { language, onLanguage, setLanguage } from "./strings.js";

/** @typedef {import("./strings.js").Language} Language */

export function setUp() {
  for (const button of buttons()) {
    button.addEventListener("click", () => setLanguage(/** @type {Language} */ (button.lang)));
  }
  onLanguage(showPressed);
  showPressed();
}

function showPressed() {
  for (const button of buttons()) {
    button.setAttribute("aria-pressed", String(button.lang === language()));
  }
}

function buttons() {
  return element("language").querySelectorAll("button");
}
