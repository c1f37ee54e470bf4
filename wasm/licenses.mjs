// What is shipped beside our own code, and under which licences: what cargo and esbuild
// say that they put together flows in, one text for readers flows out. Run by itself, it
// prints that of the module.

import { readFile, readdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** @typedef {{ name: string, license: string, text: string }} Part */

const root = fileURLToPath(new URL("..", import.meta.url));

/** Where there is a choice, it is not Apache-2.0: that is long, and said once. */
const TEXT = /^(licen[cs]e|copying|unlicense|notice)(?!.*apache)/i;

/** @param {string} folder @param {string} name @param {string | undefined} license @param {string | undefined} source @returns {Promise<Part>} */
async function part(folder, name, license, source) {
  const files = (await readdir(folder)).filter((file) => TEXT.test(file)).sort();
  const texts = await Promise.all(files.map(async (file) => (await readFile(join(folder, file), "utf8")).trim()));
  if (!license || !source) throw new Error(`'${folder}' names no licence, or not where it comes from`);
  return { name, license, text: texts.join("\n\n") || `Its text is with its source, ${source.replace(/^git\+/, "")}` };
}

/** The crates of the module, as cargo listed them when it built it. */
export async function crates() {
  /** @type {Map<string, Promise<Part>>} */
  const parts = new Map();
  const lines = (await readFile(join(root, "target/wasm/parts.json"), "utf8")).split("\n").filter(Boolean);
  for (const { reason, filenames, manifest_path: manifest } of lines.map((line) => JSON.parse(line))) {
    // What was built for this machine has built the module, and is not in it.
    const isIn = reason === "compiler-artifact" && filenames.some((/** @type {string} */ path) => path.includes("/wasm32-"));
    if (!isIn || manifest.startsWith(root)) continue;
    const toml = await readFile(manifest, "utf8");
    const value = (/** @type {string} */ key) => toml.match(new RegExp(`^${key} = "(.*)"$`, "m"))?.[1];
    const isOfRust = /\/library\/[\w-]+\/Cargo\.toml$/.test(manifest);
    const name = isOfRust ? "the standard library of Rust" : `${value("name")} ${value("version")}`;
    const [license, source] = isOfRust ? ["MIT OR Apache-2.0", "https://github.com/rust-lang/rust"] : [value("license"), value("repository")];
    parts.set(name, part(dirname(manifest), name, license, source));
  }
  return Promise.all(parts.values());
}

/**
 * The npm packages of a bundle.
 *
 * @param {string[]} inputs What esbuild's metafile names, by the folder that it ran in.
 */
export async function packages(inputs) {
  const folders = inputs.flatMap((path) => path.match(/^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/)?.[0] ?? []);
  return Promise.all([...new Set(folders)].map(async (folder) => {
    const { name, version, license, repository } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    return part(folder, `${name} ${version}`, license, repository?.url ?? repository);
  }));
}

/** One text, in which the same licence is said once. @param {Part[]} parts */
export async function notice(parts) {
  /** @type {Map<string, string[]>} */
  const groups = new Map();
  for (const { name, license, text } of parts.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    groups.set(text, [...(groups.get(text) ?? []), `${name} (${license})`]);
  }
  const head = "backstop (MIT OR Apache-2.0), https://github.com/backstop-db/backstop, holds what follows.";
  const apache = await readFile(join(root, "LICENSE-APACHE"), "utf8");
  const sections = [head, ...[...groups].map(([text, names]) => `${names.join("\n")}\n\n${text}`), apache.trim()];
  return `${sections.join(`\n\n${"-".repeat(80)}\n\n`)}\n`;
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.stdout.write(await notice(await crates()));
}
