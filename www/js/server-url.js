// @ts-check
// Which server this tab works for: the one that served the page, or the one that `?server=` names.

/**
 * The socket's address. `?server=` may be written with ws, wss, http or https, with or without a
 * path; a server named without a path is asked for `/`, where every classroom server listens.
 *
 * @param {Location | URL} page The page's own address.
 * @returns {{ url: string } | { bad: string }} The address, or what was given and is none.
 */
export function serverUrl(page) {
  const given = new URL(page.href).searchParams.get("server");
  if (given === null) {
    const scheme = page.protocol === "https:" ? "wss:" : "ws:";
    return { url: `${scheme}//${page.host}/ws` };
  }
  const schemes = { "ws:": "ws:", "wss:": "wss:", "http:": "ws:", "https:": "wss:" };
  const url = URL.canParse(given) ? new URL(given) : null;
  const scheme = url && schemes[/** @type {keyof typeof schemes} */ (url.protocol)];
  if (!url || !scheme || !url.host) {
    return { bad: given };
  }
  return { url: `${scheme}//${url.host}${url.pathname}${url.search}` };
}
