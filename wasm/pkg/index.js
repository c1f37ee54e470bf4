// The linter as a library: files in, findings out. Everything happens in the
// WebAssembly module beside this file; nothing is read, stored or sent.

import init, * as wasm from "./backstop.js";

/**
 * @typedef {"error" | "warning" | "note"} Severity
 *
 * @typedef {object} File
 * @property {string} path Relative, with `/` between its parts; each file its own.
 * @property {string} text
 * @property {string} [kind] One of `kinds()`, where path and text do not say it.
 *
 * @typedef {object} Options
 * @property {string[]} [select] Ids of rules or names of groups, and no others.
 * @property {string[]} [ignore] Those that are left out.
 * @property {Severity} [minSeverity] What is less severe is left out.
 *
 * @typedef {object} Edit The text from `from` to `to`, in UTF-16 code units, is replaced.
 * @property {number} from
 * @property {number} to
 * @property {string} insert
 *
 * @typedef {object} Related Another place that makes a finding understood.
 * @property {number} document Index of its file.
 * @property {string} path
 * @property {number} line
 * @property {number} from
 * @property {number} to
 * @property {string} message
 *
 * @typedef {object} QuickFix
 * @property {string} title
 * @property {boolean} safe Does what was meant before, minus the fault.
 * @property {Edit[]} edits
 *
 * @typedef {object} Finding The keys of `backstop lint --format json`, and places for an editor.
 * @property {string} rule
 * @property {string | null} group
 * @property {Severity} severity
 * @property {string} path
 * @property {number} line Lines and columns count from one.
 * @property {number} column In Unicode scalar values.
 * @property {number} end_line
 * @property {number} end_column
 * @property {string} message What will happen. Never holds a secret.
 * @property {string | null} help What to do about it.
 * @property {string} url Documentation of the rule.
 * @property {boolean} fix Whether there is a `quick_fix`.
 * @property {string | null} context What it is part of: a job and step, a heading.
 * @property {string} fingerprint The same for the same line under the same rule.
 * @property {number} document Index of its file.
 * @property {number} from In UTF-16 code units.
 * @property {number} to
 * @property {Related[]} related
 * @property {QuickFix | null} quick_fix
 *
 * @typedef {object} About
 * @property {string} path
 * @property {string} kind
 * @property {boolean} concerns_backups False: it was searched for secrets alone.
 *
 * @typedef {object} Result
 * @property {About[]} documents
 * @property {Finding[]} findings By path, then by place.
 * @property {number} suppressed How many more there were that a comment allows.
 *
 * @typedef {object} Rule
 * @property {string} id
 * @property {string} group
 * @property {Severity} severity
 * @property {"no" | "sometimes" | "always"} fix Whether its findings can carry a fix.
 * @property {string} summary
 *
 * @typedef {Rule & {
 *   url: string,
 *   sections: { heading: string, body: string }[],
 *   bad: { path: string, text: string }[][],
 *   good: { path: string, text: string }[][],
 * }} Explanation Sections are Markdown; `bad` and `good` are set-ups of one or more files.
 *
 * @typedef {"json" | "sarif" | "markdown" | "github" | "text"} Format
 */

/** @type {Promise<unknown> | undefined} */
let loading;
/** What the rules say of themselves, in JSON. @type {string | undefined} */
let documentation;

/**
 * Loads the module and the documentation of its rules; to be awaited before anything
 * else is called. What is not given is the file beside this one.
 *
 * @param {URL | Response | BufferSource | WebAssembly.Module} [source]
 * @param {string | null} [texts] What documentation.json holds. With `null` there is none,
 *   until it is given by another call: `rules`, `explain` and SARIF need it.
 * @returns {Promise<void>}
 */
export async function load(source, texts) {
  loading ??= (source ? Promise.resolve(source) : beside("backstop_bg.wasm")).then((source) => init({ module_or_path: source }));
  const said = documentation ?? (texts === undefined ? beside("documentation.json").then(text) : texts);
  const [, answer] = await Promise.all([loading, said]);
  documentation ??= answer ?? undefined;
}

/** @param {string} name @returns {Promise<URL | BufferSource>} */
async function beside(name) {
  const url = new URL(name, import.meta.url);
  if (url.protocol !== "file:") return url;
  // Node's fetch reads no files.
  const { readFile } = await import("node:fs/promises");
  return new Uint8Array(await readFile(url));
}

/** @param {URL | BufferSource} source */
async function text(source) {
  if (!(source instanceof URL)) return new TextDecoder().decode(source);
  const answer = await fetch(source);
  if (!answer.ok) throw new Error(`the documentation of the rules cannot be loaded: ${answer.status}`);
  return answer.text();
}

function documented() {
  if (documentation === undefined) throw new Error("the documentation of the rules is not loaded");
  return documentation;
}

/**
 * What will go wrong with the set-up that these files describe. They are joined: a
 * document, its script and its lifecycle rules are seen as one. `lint:` of a
 * `backstop.yml` among them holds.
 *
 * @param {File[]} files
 * @param {Options} [options]
 * @returns {Result}
 */
export function lint(files, options = {}) {
  return call(() => wasm.lint(JSON.stringify({ files, ...options })));
}

/**
 * The findings as `backstop lint --format` prints them.
 *
 * @param {File[]} files
 * @param {Format} format
 * @param {Options} [options]
 * @returns {string}
 */
export function render(files, format, options = {}) {
  const request = JSON.stringify({ files, ...options });
  return thrown(() => (format === "sarif" ? wasm.sarif(request, documented()) : wasm.render(request, format)));
}

/**
 * The edit that allows a finding by a comment with a reason; `null` where no comment
 * can, as in JSON.
 *
 * @param {File[]} files
 * @param {Pick<Finding, "document" | "from" | "rule">} finding
 * @param {string} reason
 * @param {Options} [options]
 * @returns {Edit | null}
 */
export function allow(files, finding, reason, options = {}) {
  const request = JSON.stringify({ files, ...options });
  return call(() => wasm.allow(request, finding.document, finding.from, finding.rule, reason));
}

/**
 * The text of a file with a mask for each secret, and how many lines held one.
 *
 * @param {File} file
 * @returns {{ text: string, lines: number }}
 */
export function mask(file) {
  return call(() => wasm.mask(JSON.stringify(file)));
}

/**
 * Every rule.
 *
 * @returns {Rule[]}
 */
export function rules() {
  return call(() => wasm.rules(documented()));
}

/**
 * One rule with its documentation; `null` where there is none of this id.
 *
 * @param {string} id
 * @returns {Explanation | null}
 */
export function explain(id) {
  return call(() => wasm.explain(id, documented()));
}

/**
 * The names of the kinds of document.
 *
 * @returns {string[]}
 */
export function kinds() {
  return call(() => wasm.kinds());
}

/** @returns {string} */
export function version() {
  return wasm.version();
}

/** @param {() => string} json */
function call(json) {
  return JSON.parse(thrown(json));
}

/**
 * The module throws strings; a trap (`WebAssembly.RuntimeError`) passes as it is.
 *
 * @param {() => string} run
 */
function thrown(run) {
  try {
    return run();
  } catch (cause) {
    throw typeof cause === "string" ? new Error(cause) : cause;
  }
}
