// @ts-check
// Asks whether this tab may compute for the server that a link has named. Nothing is connected before it may.

import { element } from "./dom.js";
import { open, question, write } from "./question.js";
import { strings } from "./strings.js";

export class OtherServer {
  #host;

  /** @param {string} url The server's. @param {() => void} agreed */
  constructor(url, agreed) {
    this.#host = new URL(url).host;
    element("question-yes").addEventListener("click", () => {
      question().close();
      agreed();
    });
    element("question-no").addEventListener("click", () => {
      const own = new URL(location.href);
      own.searchParams.delete("server");
      location.replace(own);
    });
  }

  ask() {
    open(this.#asked);
  }

  /** In the language of the moment. */
  show() {
    write(this.#asked);
  }

  get #asked() {
    const said = strings.otherServer;
    return { ...said, text: said.text(this.#host) };
  }
}
