// A set-up as the fragment of an address, and back. `#v1.` and the deflated JSON of
// {files: [{path, text, kind?}], select?}, in base64url. What was once written is read
// for ever: another form gets another number.

/** @typedef {import("@backstop-db/lint").File} File */
/** @typedef {{ files: File[], select: string[] }} Shared */

/** Characters of an address that everything passes on. */
export const LONG = 8000;
/** Characters of all files together that are checked. */
export const LIMIT = 1_000_000;
/** Files that are open at once. */
export const FILES = 50;
/** Bytes of a link when it is inflated: a few of them can become gigabytes. */
const INFLATED = 4 * LIMIT;

/** @param {Shared} shared @returns {Promise<string>} */
export async function encode({ files, select }) {
  const json = JSON.stringify({ files, ...(select.length > 0 ? { select } : {}) });
  const blob = new Blob([json]);
  if (blob.size > INFLATED) throw new Error("these files are too large for a link");
  const bytes = await collect(blob.stream().pipeThrough(new CompressionStream("deflate-raw")), Infinity);
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return `#v1.${btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}

/**
 * What a fragment holds; nothing where it is none of ours.
 *
 * @param {string} fragment
 * @returns {Promise<Shared | undefined>}
 */
export async function decode(fragment) {
  const version = /^#v(\d+)\.([\w-]*)$/.exec(fragment);
  if (!version) return undefined;
  if (version[1] !== "1") throw new Error("this link was made by a newer version of this page: reload it, and open the link again");
  let shared;
  try {
    const binary = atob(version[2].replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
    const text = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    shared = JSON.parse(new TextDecoder().decode(await collect(text, INFLATED)));
  } catch {
    throw new Error("this link is damaged: part of it is missing or was changed");
  }
  return read(shared);
}

/** @param {any} value @returns {Shared} */
export function read(value) {
  const isText = (/** @type {unknown} */ text) => typeof text === "string";
  const isFile = (/** @type {any} */ file) => file && isText(file.path) && isText(file.text) && (file.kind === undefined || isText(file.kind));
  const files = value?.files;
  if (!Array.isArray(files) || files.length > FILES || !files.every(isFile)) {
    throw new Error("this link is damaged: it holds no files");
  }
  const select = Array.isArray(value.select) ? value.select.filter(isText) : [];
  return { files: files.map(({ path, text, kind }) => ({ path, text, ...(kind ? { kind } : {}) })), select };
}

/** @param {ReadableStream<Uint8Array>} stream @param {number} limit */
async function collect(stream, limit) {
  /** @type {Uint8Array[]} */
  const parts = [];
  let length = 0;
  const reader = stream.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    length += part.value.length;
    if (length > limit) throw new Error("too large");
    parts.push(part.value);
  }
  const all = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
