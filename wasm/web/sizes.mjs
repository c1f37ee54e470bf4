// What a reader waits for, in bytes after gzip: printed, and held against a limit.

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const target = fileURLToPath(new URL("../../target/wasm/", import.meta.url));
const { scripts, wasm, other } = JSON.parse(await readFile(`${target}eager.json`, "utf8"));

/** @param {string[]} paths */
async function packed(paths) {
  const sizes = await Promise.all(paths.map(async (path) => gzipSync(await readFile(`${target}${path}`), { level: 9 }).length));
  return sizes.reduce((sum, size) => sum + size, 0);
}

const kilo = 1000;
const sent = (/** @type {string[]} */ paths) => packed(paths.map((path) => `site/${path}`));
// Limits are a little above what there is, so that growth is seen where it happens, and
// never above 400 for the module, 120 for scripts and 500 for everything. What the rules
// say of themselves comes behind the first finding.
const rows = [
  { what: "module", size: await sent([wasm]), limit: 380 * kilo },
  { what: "scripts", size: await sent(scripts), limit: 112 * kilo },
  { what: "all before the first finding", size: await sent([wasm, ...scripts, ...other]), limit: 495 * kilo },
];
let failed = false;
for (const { what, size, limit } of rows) {
  failed ||= size > limit;
  console.log(`${what.padEnd(30)} ${(size / kilo).toFixed(1).padStart(7)} kB of ${limit / kilo}${size > limit ? "  TOO LARGE" : ""}`);
}
console.log(`${"the module, if sent as it is".padEnd(30)} ${(await packed(["package/backstop_bg.wasm"]) / kilo).toFixed(1).padStart(7)} kB`);
process.exit(failed ? 1 : 0);
