// The open files: names, kinds, texts with their undo, and which of them is shown.

/** @typedef {import("@backstop-db/lint").File} File */
/** @typedef {import("@codemirror/state").EditorState} EditorState */
/**
 * @typedef {object} Tab
 * @property {number} id
 * @property {string} path
 * @property {string} kind Empty: as path and text say.
 * @property {string} detected What the linter took it for.
 * @property {boolean} concerned Whether it was read as part of a set-up.
 * @property {string} ending How its lines end, for what is saved again.
 * @property {EditorState} state
 */

/** @type {Tab[]} */
export let tabs = [];
/** @type {Tab} */
export let active;
let last = 0;

/** @param {EditorState} state @param {Partial<Tab>} [known] @returns {Tab} */
export function make(state, known = {}) {
  return { id: ++last, path: free("untitled"), kind: "", detected: "text", concerned: true, ending: "\n", ...known, state };
}

/** @param {Tab[]} next @param {Tab} [shown] */
export function replace(next, shown = next[0]) {
  tabs = next;
  active = shown;
}

/** @param {Tab} tab */
export function show(tab) {
  active = tab;
}

/**
 * A path that no other file has.
 *
 * @param {string} path @param {Tab} [own]
 */
export function free(path, own) {
  return distinct(path, new Set(tabs.filter((tab) => tab !== own).map((tab) => tab.path)));
}

/** `backup.sh`, `backup-2.sh`. @param {string} path @param {Set<string>} taken */
function distinct(path, taken) {
  const [, stem, extension] = /** @type {RegExpExecArray} */ (/^(.*?)((?:\.[^./]*)?)$/s.exec(path));
  let name = path;
  for (let number = 2; taken.has(name); number++) name = stem ? `${stem}-${number}${extension}` : `${path}-${number}`;
  return name;
}

/** @param {Tab} tab */
export function text(tab) {
  return tab.state.doc.toString();
}

/** All files as the linter takes them. @returns {File[]} */
export function files() {
  return tabs.map((tab) => ({ path: tab.path, text: text(tab), ...(tab.kind ? { kind: tab.kind } : {}) }));
}

/** The name of a file, with its folder where another has the same. @param {Tab} tab */
export function short({ path }) {
  const name = (/** @type {string} */ path) => path.split("/").pop() || path;
  const twin = tabs.some((other) => other.path !== path && name(other.path) === name(path));
  return twin ? path : name(path);
}

/** All files as they are saved: with the ends of lines that they came with, and without folders. */
export function saved() {
  /** @type {Set<string>} */
  const names = new Set();
  return tabs.map((tab) => {
    const name = distinct(short(tab).replaceAll("/", "-"), names);
    names.add(name);
    return { name, text: text(tab).replaceAll("\n", tab.ending) };
  });
}

export function isEmpty() {
  return tabs.every((tab) => tab.state.doc.length === 0);
}
