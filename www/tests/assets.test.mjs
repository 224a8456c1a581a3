// @ts-check
// The page's files as the binary sends them: in gzip to whoever takes it, and never twice.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, readdirSync, statSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { Server, variable } from "./support.mjs";

/** Asks as it is told to; unlike `fetch`, it adds no header and unpacks nothing.
 * @param {string} url @param {Record<string, string>} [headers] @param {string} [method] */
async function ask(url, headers = {}, method = "GET") {
  const asking = request(url, { method, headers });
  asking.end();
  /** @type {[import("node:http").IncomingMessage]} */
  const [answer] = /** @type {any} */ (await once(asking, "response"));
  const chunks = [];
  for await (const chunk of answer) {
    chunks.push(chunk);
  }
  return { status: answer.statusCode, headers: answer.headers, body: Buffer.concat(chunks) };
}

/** A file of fewer bytes need not be smaller in gzip. */
const LINES_BYTES_MAX = 200;

const GZIP = { "accept-encoding": "gzip, deflate, br" };

test("every file comes as it is, and in gzip as the same bytes", async (t) => {
  const server = await Server.start(t);
  const folder = variable("TEQUIO_PAGE");
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  const files = names.filter((name) => statSync(join(folder, name)).isFile());
  assert.ok(files.includes("worker_bg.wasm"));
  for (const name of files) {
    const [url, file] = [`${server.page}${name}`, readFileSync(join(folder, name))];
    for (const accepted of ["", "gzip;q=0, br"]) {
      const plain = await ask(url, { "accept-encoding": accepted });
      assert.equal(plain.headers["content-encoding"], undefined, name);
      assert.ok(plain.body.equals(file), name);
    }
    const gzip = await ask(url, GZIP);
    assert.equal(gzip.headers.vary, "accept-encoding", name);
    assert.equal(gzip.headers["content-length"], String(gzip.body.length), name);
    assert.ok(gzip.body.length <= file.length, name);
    const isCompressed = gzip.headers["content-encoding"] === "gzip";
    assert.ok((isCompressed ? gunzipSync(gzip.body) : gzip.body).equals(file), name);
    // All but those of a line or two.
    assert.ok(isCompressed || file.length < LINES_BYTES_MAX, name);
  }
});

test("what a browser has is not sent again, and HEAD sends nothing", async (t) => {
  const server = await Server.start(t);
  for (const name of ["", "worker_bg.wasm"]) {
    const url = `${server.page}${name}`;
    const [plain, gzip] = [await ask(url), await ask(url, GZIP)];
    assert.notEqual(plain.headers.etag, gzip.headers.etag);
    for (const [headers, answer] of /** @type {const} */ ([[{}, plain], [GZIP, gzip]])) {
      const etag = answer.headers.etag ?? "";
      const again = await ask(url, { ...headers, "if-none-match": etag });
      assert.deepEqual([again.status, again.body.length, again.headers.etag], [304, 0, etag]);
      assert.equal(again.headers.vary, "accept-encoding");

      const head = await ask(url, headers, "HEAD");
      assert.equal(head.body.length, 0);
      for (const field of ["etag", "vary", "content-encoding", "content-length", "content-type"]) {
        assert.equal(head.headers[field], answer.headers[field], field);
      }
    }
    const other = await ask(url, { ...GZIP, "if-none-match": plain.headers.etag ?? "" });
    assert.equal(other.status, 200, "the tag of the file as it is does not stand for its gzip");
  }
});
