// @ts-check
// The words of the page that change with the language alone. An element of index.html says in
// `data-text` which string is its text, and in `data-label` which one is its name for those who do
// not see it; both as in `columns.task`.

import { language, strings } from "./strings.js";

/** @typedef {import("./strings.js").Strings} Strings */

/** Writes them into everything below `root`. @param {ParentNode} [root] */
export function showWords(root = document) {
  document.documentElement.lang = language();
  for (const found of root.querySelectorAll("[data-text]")) {
    found.textContent = stringAt(strings, found.getAttribute("data-text") ?? "");
  }
  for (const found of root.querySelectorAll("[data-label]")) {
    found.setAttribute("aria-label", stringAt(strings, found.getAttribute("data-label") ?? ""));
  }
}

/** @param {Strings} all @param {string} path @returns {string} */
export function stringAt(all, path) {
  /** @type {unknown} */
  let found = all;
  for (const name of path.split(".")) {
    found = Object(found)[name];
  }
  if (typeof found !== "string") {
    throw new Error(`there is no string ${path} in strings.js`);
  }
  return found;
}
