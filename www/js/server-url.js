// @ts-check
// Which server this tab works for: the one that served the page, or the one that `?server=` names.

/** Where Tequio's own servers listen for tabs; theirs are told that the tab takes leases. */
const SOCKET_PATH = "/ws";

/**
 * The socket's address. `?server=` may be written with http or https, which names a Tequio's page by
 * the folder that it is in, or with ws or wss, with or without a path; without one it is asked for `/`, where every
 * classroom server listens.
 *
 * @param {Location | URL} page The page's own address.
 * @returns {{ url: string, takesLeases: boolean, isOwn: boolean } | { bad: string }} The address,
 * whether it is a Tequio's, and whether that is where the page itself came from; or what was given
 * and is none.
 */
export function serverUrl(page) {
  const own = new URL(".", page.href);
  const given = new URL(page.href).searchParams.get("server") ?? own.href;
  const schemes = { "ws:": "ws:", "wss:": "wss:", "http:": "ws:", "https:": "wss:" };
  const url = parse(given);
  const scheme = url && schemes[/** @type {keyof typeof schemes} */ (url.protocol)];
  if (!url || !scheme || !url.host) {
    return { bad: given };
  }
  // A proxy may have put it below any path; what names no folder is no page's.
  const isPage = url.protocol !== scheme && url.pathname.endsWith("/");
  const path = isPage ? `${url.pathname.slice(0, -1)}${SOCKET_PATH}` : url.pathname;
  const ownScheme = schemes[/** @type {keyof typeof schemes} */ (page.protocol)];
  const ownPath = `${own.pathname.slice(0, -1)}${SOCKET_PATH}`;
  return {
    url: `${scheme}//${url.host}${path}${url.search}`,
    takesLeases: path.endsWith(SOCKET_PATH),
    isOwn: path === ownPath && url.host === page.host && scheme === ownScheme,
  };
}

/** Where another service of the same server is: beside the tabs' own, wherever a proxy has put that;
 * at the root of a server that may have it or not.
 * @param {{ url: string, takesLeases: boolean }} server @param {string} name Such as `echo`. */
export function serviceUrl({ url, takesLeases }, name) {
  const service = new URL(takesLeases ? name : `/${name}`, url);
  service.search = "";
  return service;
}

/** `URL.parse` and `URL.canParse` are younger than some phones.
 * @param {string} text */
function parse(text) {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}
