// @ts-check
// Which server this tab works for: the one that served the page, or the one that `?server=` names.

/** Where Tequio's own servers listen for tabs; theirs are told that the tab takes leases. */
const SOCKET_PATH = "/ws";

/** Names of this machine on every machine, as a `URL` has them, which writes `127.1` out. */
const LOOPBACK = /^(localhost|.+\.localhost|127\.[\d.]+|\[::1\])\.?$/;

/** `url` is the socket's address. `takesLeases` says whether it is a Tequio's, `isOwn` whether that is where
 * the page itself came from, `hasKernels` whether the page may fetch them there, and `isForeign` whether somebody else may run it: it is neither below the page's
 * own folder nor on this machine.
 * @typedef {{ url: string, takesLeases: boolean, isOwn: boolean, hasKernels: boolean, isForeign: boolean }} Server */

/**
 * The socket's address. `?server=` may be written with http or https, which names a Tequio's page by
 * the folder that it is in, or with ws or wss, with or without a path; without one it is asked for `/`, where every
 * classroom server listens.
 *
 * @param {Location | URL} page The page's own address.
 * @returns {Server | { bad: string }} What was given and is no server.
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
  const isSameHost = url.host === page.host && scheme === ownScheme;
  return {
    url: `${scheme}//${url.host}${path}${url.search}`,
    takesLeases: path.endsWith(SOCKET_PATH),
    isOwn: isSameHost && path === ownPath,
    hasKernels: isSameHost,
    isForeign: !(isSameHost && path.startsWith(own.pathname)) && !LOOPBACK.test(url.hostname),
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
