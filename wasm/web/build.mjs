// Builds the page: sources in, target/wasm/site out. Every file but the entry points is
// named by its content, so that a cache can keep it for ever; rule pages come from the
// rules' own documentation.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cp, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

import * as esbuild from "esbuild";

import { explain, load, rules, version } from "../../target/wasm/package/index.js";
import { crates, notice, packages } from "../licenses.mjs";
import { rulePage, rulesPage } from "./pages.mjs";
import { join as joined, part } from "./src/streams.js";

const here = dirname(fileURLToPath(import.meta.url));
const source = join(here, "src");
const target = join(here, "../../target/wasm");
const site = join(target, "site");

/** @type {import("esbuild").BuildOptions} */
const shared = {
  bundle: true,
  minify: true,
  target: ["es2022", "chrome123", "firefox120", "safari17.5"],
  alias: { "@backstop-db/lint": join(target, "package/index.js") },
  external: ["node:fs/promises"],
  // What they would say stands in licenses.txt.
  legalComments: "none",
  logLevel: "warning",
};

/** Files that went into a script. @type {Set<string>} */
const inputs = new Set();
const note = (/** @type {import("esbuild").Metafile} */ { inputs: files }) => Object.keys(files).forEach((path) => inputs.add(path));

/** A worker as one text: it is started from a blob, which the page's policy binds. @param {string} name */
async function worker(name) {
  const built = await esbuild.build({
    ...shared,
    entryPoints: [join(source, name)],
    format: "iife",
    define: { "import.meta.url": '""' },
    write: false,
    metafile: true,
  });
  note(built.metafile);
  return built.outputFiles[0].text;
}

/** The examples of the menu, each a folder of files and a line about it. */
const examples = {
  name: "examples",
  setup(/** @type {import("esbuild").PluginBuild} */ build) {
    build.onResolve({ filter: /^virtual:examples$/ }, ({ path }) => ({ path, namespace: "examples" }));
    build.onLoad({ filter: /.*/, namespace: "examples" }, async () => {
      const folder = join(source, "examples");
      const list = JSON.parse(await readFile(join(folder, "list.json"), "utf8"));
      const read = async (/** @type {{ folder: string, title: string, about: string, files: string[] }} */ one) => ({
        title: one.title,
        about: one.about,
        files: await Promise.all(one.files.map(async (path) => ({ path, text: await readFile(join(folder, one.folder, path), "utf8") }))),
      });
      return { contents: JSON.stringify(await Promise.all(list.map(read))), loader: "json" };
    });
  },
};

/** What the rules say of themselves: 100 kB by which nothing is found. */
const documentation = {
  name: "documentation",
  setup(/** @type {import("esbuild").PluginBuild} */ build) {
    build.onResolve({ filter: /^virtual:documentation$/ }, ({ path }) => ({ path, namespace: "documentation" }));
    build.onLoad({ filter: /.*/, namespace: "documentation" }, async () => (
      { contents: await readFile(join(target, "package/documentation.json"), "utf8"), loader: "text" }
    ));
  },
};

/** @param {string} name @param {string | Buffer} content */
function hashed(name, content) {
  const digest = createHash("sha256").update(content).digest("hex").slice(0, 10);
  const dot = name.lastIndexOf(".");
  return `assets/${name.slice(0, dot)}-${digest}${name.slice(dot)}`;
}

/** @param {string} path @param {string | Buffer} content */
async function write(path, content) {
  await mkdir(dirname(join(site, path)), { recursive: true });
  await writeFile(join(site, path), content);
  return path;
}

/**
 * The module as it is sent. GitHub Pages packs by gzip alone: that would be 150 kB more.
 *
 * @param {Buffer} module
 */
function pack(module) {
  const xz = (/** @type {string[]} */ options, /** @type {Uint8Array} */ input) =>
    execFileSync("xz", ["--stdout", ...options], { input, maxBuffer: 1 << 25 });
  const packed = xz(["--threads=1", "--check=crc32", "--lzma2=preset=9e,lc=2,pb=0,nice=273,dict=2MiB"], part(module));
  if (!module.equals(joined(xz(["--decompress"], packed)))) throw new Error("what was packed is another module");
  return packed;
}

await load();
await rm(site, { recursive: true, force: true });

const packed = pack(await readFile(join(target, "package/backstop_bg.wasm")));
const wasm = await write(hashed("backstop.xz", packed), packed);
const sheet = (await esbuild.transform(await readFile(join(source, "style.css"), "utf8"), {
  loader: "css",
  minify: true,
  target: shared.target,
})).code;
const style = await write(hashed("style.css", sheet), sheet);

const scripts = await esbuild.build({
  ...shared,
  entryPoints: ["boot", "main", "rules"].map((name) => join(source, `${name}.js`)),
  format: "esm",
  splitting: true,
  outdir: join(site, "assets"),
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  metafile: true,
  plugins: [documentation, examples],
  define: {
    WORKER: JSON.stringify(await worker("worker.js")),
    UNPACK: JSON.stringify(await worker("unpack.js")),
    WASM: JSON.stringify(wasm.slice("assets/".length)),
    VERSION: JSON.stringify(version()),
    RULES: String(rules().length),
    NAMES: JSON.stringify([...new Set(rules().flatMap(({ id, group }) => [id, group]))]),
  },
});
note(scripts.metafile);
/** @type {Record<string, string>} */
const entry = {};
/** What the editor needs before it can be used. @type {string[]} */
let eager = [];
for (const [path, output] of Object.entries(scripts.metafile.outputs)) {
  if (!output.entryPoint) continue;
  const name = output.entryPoint.replace(/^.*\//, "").replace(".js", "");
  entry[name] = relative(site, join(process.cwd(), path));
  if (name === "main" || name === "boot") {
    eager.push(entry[name], ...reached(path).map((path) => relative(site, join(process.cwd(), path))));
  }
}
eager = [...new Set(eager)];

/** Chunks that are loaded with a script, whatever happens. @param {string} path @returns {string[]} */
function reached(path) {
  const next = scripts.metafile.outputs[path].imports
    .filter((one) => one.kind === "import-statement" && !one.external)
    .map((one) => one.path);
  return [...next, ...next.flatMap(reached)];
}

for (const file of await readdir(join(here, "public"))) {
  await cp(join(here, "public", file), join(site, file), { recursive: true });
}
const fill = (/** @type {string} */ html) =>
  html
    .replaceAll("%STYLE%", style)
    .replaceAll("%BOOT%", entry.boot)
    .replaceAll("%MAIN%", entry.main)
    .replaceAll("%RULES%", entry.rules)
    .replaceAll("%WASM%", wasm)
    .replaceAll("%COUNT%", String(rules().length))
    .replaceAll("%VERSION%", version());
await write("index.html", fill(await readFile(join(source, "index.html"), "utf8")));
await write("404.html", fill(await readFile(join(source, "404.html"), "utf8")));
await write("rules/index.html", fill(rulesPage(rules())));
for (const rule of rules()) {
  const explained = explain(rule.id);
  if (explained) await write(`rules/${rule.id}/index.html`, fill(rulePage(explained)));
}

await write("licenses.txt", await notice([...(await crates()), ...(await packages([...inputs]))]));

const assets = (await readdir(join(site, "assets"))).map((name) => `assets/${name}`).sort();
const cached = ["./", "manifest.webmanifest", "icon.svg", "licenses.txt", "rules/", ...assets];
const digest = createHash("sha256");
for (const path of ["index.html", "rules/index.html", ...assets]) {
  digest.update(path).update(await readFile(join(site, path)));
}
const worker_ = (await readFile(join(source, "sw.js"), "utf8"))
  .replace('"%FILES%"', JSON.stringify(cached))
  .replace("%DIGEST%", digest.digest("hex").slice(0, 12));
await write("sw.js", (await esbuild.transform(worker_, { minify: true })).code);
await writeFile(
  join(target, "eager.json"),
  `${JSON.stringify({ scripts: eager, wasm, other: ["index.html", style] }, null, 2)}\n`,
);
