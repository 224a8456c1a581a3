// @ts-check
// Every language has every word, and the page asks for no other.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { KERNEL_WORDS } from "../js/kernel-words.js";
import { LANGUAGES, languageOf } from "../js/strings.js";
import { stringAt } from "../js/words.js";

/** What there is, in words that can be compared: a path and a kind a line.
 * @param {object} all @returns {string[]} */
function shape(all, path = "") {
  return Object.entries(all).flatMap(([name, value]) => {
    const at = `${path}${name}`;
    switch (typeof value) {
      case "object":
        return shape(value, `${at}.`);
      case "function":
        return [`${at}: a function of ${value.length}`];
      default:
        return [`${at}: a ${typeof value}${value === "" ? " of nothing" : ""}`];
    }
  });
}

test("all languages have the same words", () => {
  const { en, ...others } = LANGUAGES;
  const words = shape(en).sort();
  assert.ok(words.includes("columns.task: a string") && words.includes("job: a function of 2"));
  assert.deepEqual(words.filter((word) => word.endsWith("of nothing")), []);
  for (const [name, other] of Object.entries(others)) {
    assert.deepEqual(shape(other).sort(), words, name);
  }
  assert.deepEqual(Object.keys(KERNEL_WORDS), Object.keys(LANGUAGES));
  for (const [name, other] of Object.entries(KERNEL_WORDS)) {
    assert.deepEqual(shape(other).sort(), shape(KERNEL_WORDS.en).sort(), name);
  }
});

test("what index.html asks for, every language has", () => {
  const page = readFileSync(new URL("../index.html", import.meta.url), "utf8");
  const asked = [...page.matchAll(/\bdata-(?:text|label)="([^"]*)"/g)].map(([, path]) => path);
  assert.ok(asked.includes("tagline") && asked.includes("columns.task"));
  for (const path of asked) {
    for (const all of Object.values(LANGUAGES)) {
      assert.ok(stringAt(all, path));
    }
  }
  for (const path of ["", "columns", "columns.none", "none.task", "job", "tagline.length"]) {
    assert.throws(() => stringAt(LANGUAGES.en, path), /there is no string/, path);
  }
});

test("index.html has a button for each language", () => {
  const page = readFileSync(new URL("../index.html", import.meta.url), "utf8");
  const names = [...page.matchAll(/<button type="button" lang="(\w+)">/g)].map(([, name]) => name);
  assert.deepEqual(names, Object.keys(LANGUAGES));
});

test("the language is the one chosen, else the first that the browser prefers", () => {
  for (const [chosen, preferred, language] of /** @type {const} */ ([
    [null, ["es-MX", "en-US"], "es"],
    [null, ["en-GB", "es"], "en"],
    [null, ["nah", "zap", "ES-419", "en"], "es"],
    [null, ["fr-FR", "de"], "en"],
    [null, ["est"], "en"],
    [null, [], "en"],
    ["es", ["en-US"], "es"],
    ["en", ["es-MX"], "en"],
    ["constructor", ["es-MX"], "es"],
    ["", ["es-MX"], "es"],
  ])) {
    assert.equal(languageOf(chosen, preferred), language, `${chosen}, ${preferred}`);
  }
});
