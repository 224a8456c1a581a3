// @ts-check
// What the page says, in the language of whoever looks at it. Each language is a file of its own.

import { keeper } from "./keep.js";
import { en } from "./strings/en.js";
import { es } from "./strings/es.js";

export const LANGUAGE_KEY = "tequio-language";

/** Every language, by the name that HTML and browsers have for it. */
export const LANGUAGES = { en, es };

/** @typedef {typeof en} Strings */
/** @typedef {keyof typeof LANGUAGES} Language */

const ofBrowser = keeper("localStorage");
/** @type {(() => void)[]} */
const callbacks = [];
let current = wanted();

/** Every word, in the language of the moment.
 * @type {Strings} */
export let strings = LANGUAGES[current];

export function language() {
  return current;
}

/** What a person has chosen, for this tab and for those to come. @param {Language} name */
export function setLanguage(name) {
  ofBrowser.setItem(LANGUAGE_KEY, name);
  rereadLanguage();
}

/** Takes what is kept, which another tab of this browser may have set. */
export function rereadLanguage() {
  const name = wanted();
  if (name !== current) {
    current = name;
    strings = LANGUAGES[name];
    callbacks.forEach((callback) => callback());
  }
}

/** Calls it after each change, in the order in which they were given, to draw anew what it has
 * drawn. @param {() => void} callback */
export function onLanguage(callback) {
  callbacks.push(callback);
}

/** What was chosen; else the first of the languages that a browser prefers and the page speaks.
 * @param {string | null} chosen @param {readonly string[]} preferred As `navigator.languages`.
 * @returns {Language} */
export function languageOf(chosen, preferred) {
  const names = [chosen ?? "", ...preferred.map((tag) => /^[a-z]*/.exec(String(tag).toLowerCase())?.[0] ?? "")];
  return names.find(isLanguage) ?? "en";
}

/** @param {string} name @returns {name is Language} */
function isLanguage(name) {
  return Object.keys(LANGUAGES).includes(name);
}

/** What a code stands for, in the language of the moment; else what was said with it.
 * @param {Record<string, string>} words @param {{ code: string, message: string }} detail */
export function wordsFor(words, { code, message }) {
  return Object.keys(words).includes(code) ? words[code] : message;
}

function wanted() {
  // Old versions of Node, which run tests of this, have no navigator.
  const { languages, language } = globalThis.navigator ?? {};
  return languageOf(ofBrowser.getItem(LANGUAGE_KEY), languages ?? [language ?? ""]);
}
