// A server for the built page on 127.0.0.1, as plain as GitHub's: files, folders with an
// index, gzip, and nothing that a header could add to the page's own policy.
//
// usage: node wasm/test/serve.mjs [PORT]

import { readFile, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

export const site = fileURLToPath(new URL("../../target/wasm/site/", import.meta.url));

/** @type {Record<string, string>} */
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".txt": "text/plain; charset=utf-8",
  ".xz": "application/x-xz",
  ".svg": "image/svg+xml",
  ".webmanifest": "application/manifest+json",
};

/** Starts it below `/backstop/`, as it is deployed. @param {number} [port] */
export async function serve(port = 0) {
  /** @type {Map<string, Buffer>} */
  const packed = new Map();
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    if (!pathname.startsWith("/backstop/")) {
      response.writeHead(pathname === "/" ? 302 : 404, { location: "/backstop/" }).end();
      return;
    }
    let path = normalize(join(site, decodeURIComponent(pathname.slice("/backstop/".length))));
    try {
      if (!path.startsWith(site)) throw new Error("outside");
      if ((await stat(path)).isDirectory()) {
        if (!pathname.endsWith("/")) {
          response.writeHead(301, { location: `${pathname}/` }).end();
          return;
        }
        path = join(path, "index.html");
      }
      const body = packed.get(path) ?? gzipSync(await readFile(path));
      packed.set(path, body);
      response.writeHead(200, {
        "content-type": TYPES[extname(path)] ?? "application/octet-stream",
        "content-encoding": "gzip",
        "cache-control": "max-age=600",
      }).end(body);
    } catch {
      response.writeHead(404, { "content-type": "text/plain" }).end("not found\n");
    }
  });
  await new Promise((resolve) => server.listen(port, "127.0.0.1", () => resolve(undefined)));
  const address = /** @type {import("node:net").AddressInfo} */ (server.address());
  return { url: `http://127.0.0.1:${address.port}/backstop/`, close: () => server.close() };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await serve(Number(process.argv[2] ?? 0));
  console.log(`the web linter is at ${url} (Ctrl-C ends it)`);
}
