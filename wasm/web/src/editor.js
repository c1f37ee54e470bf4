// The editor: CodeMirror in the colours of the page. What it takes to show a text and
// its findings is here; what it takes to edit comes a moment later (`editing.js`).

import { Compartment, EditorState } from "@codemirror/state";
import { EditorView, drawSelection, highlightActiveLine, highlightActiveLineGutter, lineNumbers, placeholder } from "@codemirror/view";

import { later } from "./later.js";
import { marks, setMarks } from "./marks.js";

/** Marks beyond these would make the editor slow, and tell nobody anything. */
const MARKS = 500;

const language = new Compartment();
const label = new Compartment();
const editing = new Compartment();

const theme = EditorView.theme({
  "&": { height: "100%", fontSize: "var(--code-size)", backgroundColor: "transparent", color: "var(--text)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.6" },
  ".cm-content": { padding: "12px 0 40vh", caretColor: "var(--accent)" },
  ".cm-line": { padding: "0 16px 0 8px" },
  ".cm-gutters": { backgroundColor: "transparent", color: "var(--faint)", border: "none", paddingLeft: "4px" },
  ".cm-lineNumbers .cm-gutterElement": { padding: "0 6px 0 8px", minWidth: "28px" },
  ".cm-marks": { width: "18px" },
  ".mark": { width: "10px", height: "10px", margin: "calc(.8em - 5px) auto 0", borderRadius: "50%" },
  ".mark-error": { backgroundColor: "var(--error)" },
  ".mark-warning": { backgroundColor: "var(--warning)", borderRadius: "2px", transform: "rotate(45deg) scale(.85)" },
  ".mark-note": { boxShadow: "inset 0 0 0 2px var(--note)" },
  ".range": { textUnderlineOffset: "4px" },
  ".range-error": { textDecoration: "underline wavy var(--error) 1px" },
  ".range-warning": { textDecoration: "underline wavy var(--warning) 1px" },
  ".range-note": { textDecoration: "underline dotted var(--note) 2px" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--line)" },
  ".cm-activeLineGutter": { color: "var(--muted)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { background: "var(--selection) !important" },
  ".cm-selectionMatch": { backgroundColor: "var(--mark)" },
  ".cm-cursor": { borderLeftColor: "var(--accent)", borderLeftWidth: "2px" },
  ".cm-placeholder": { color: "var(--muted)", whiteSpace: "pre-wrap" },
  ".cm-tooltip": { backgroundColor: "var(--raised)", color: "var(--text)", border: "1px solid var(--border)", borderRadius: "8px", boxShadow: "var(--shadow)", overflow: "hidden", maxWidth: "min(520px, 90vw)" },
  ".tip": { padding: "10px 14px", fontFamily: "var(--sans)", fontSize: "13.5px", lineHeight: "1.5", borderLeft: "3px solid var(--note)" },
  ".tip-error": { borderColor: "var(--error)" },
  ".tip-warning": { borderColor: "var(--warning)" },
  ".tip + .tip": { borderTop: "1px solid var(--border)" },
  ".cm-panels": { backgroundColor: "var(--surface)", color: "var(--text)", borderColor: "var(--border) !important" },
  ".cm-panel.cm-search": { fontFamily: "var(--sans)", padding: "8px" },
  ".cm-textfield": { backgroundColor: "var(--page)", border: "1px solid var(--border)", borderRadius: "6px", color: "var(--text)" },
  ".cm-button": { backgroundImage: "none", backgroundColor: "var(--page)", border: "1px solid var(--border)", borderRadius: "6px", color: "var(--text)" },
});

/** @param {(update: import("@codemirror/view").ViewUpdate) => void} updated */
function extensions(updated) {
  return [
    lineNumbers(),
    marks(),
    drawSelection(),
    highlightActiveLine(),
    highlightActiveLineGutter(),
    EditorView.lineWrapping,
    EditorView.cspNonce.of("codemirror"),
    language.of([]),
    label.of([]),
    editing.of(more?.extensions ?? []),
    theme,
    placeholder("Paste a backup script, a workflow, a lifecycle policy, a .env,\na migration or a whole strategy document,\nor drop files here."),
    EditorView.updateListener.of(updated),
  ];
}

/** @type {import("@codemirror/state").Extension} */
let all = [];
/** What edits, once it is there. @type {typeof import("./editing.js") | undefined} */
let more;

/**
 * @param {HTMLElement} parent
 * @param {(update: import("@codemirror/view").ViewUpdate) => void} updated
 */
export function create(parent, updated) {
  all = extensions(updated);
  later(() => import("./editing.js")).then((loaded) => {
    more = loaded;
    all = extensions(updated);
    view.dispatch({ effects: editing.reconfigure(loaded.extensions) });
  });
  const view = new EditorView({ state: stateOf(""), parent });
  return view;
}

/** @param {string} text */
export function stateOf(text) {
  return EditorState.create({ doc: text, extensions: all });
}

/** A state may be older than what edits. @param {EditorState} state */
export function complete(state) {
  return more && editing.get(state) !== more.extensions ? state.update({ effects: editing.reconfigure(more.extensions) }).state : state;
}

/** Shows a text. @param {EditorView} view @param {EditorState} state @param {string} name */
export function open(view, state, name) {
  view.setState(complete(state));
  describe(view, name);
}

/** @param {{ state: EditorState, dispatch: (transaction: import("@codemirror/state").Transaction) => void }} target */
export function undo(target) {
  more?.undo(target);
}

/** @param {EditorView} view @param {string} name */
export function describe(view, name) {
  view.dispatch({ effects: label.reconfigure(EditorView.contentAttributes.of({ "aria-label": `Text of ${name}`, spellcheck: "false", tabindex: "0" })) });
}

/** @type {Record<string, keyof typeof import("./languages.js").languages>} */
const OF_KIND = {
  workflow: "yaml", action: "yaml", compose: "yaml", backstop: "yaml", kubernetes: "yaml",
  lifecycle: "json", "bucket-policy": "json",
  shell: "shell", crontab: "shell", env: "properties", systemd: "properties",
  sql: "sql", drizzle: "javascript", typescript: "javascript", markdown: "markdown",
};

/** What colours a kind. @param {string} kind @returns {Promise<import("@codemirror/state").Extension>} */
export async function colours(kind) {
  const name = OF_KIND[kind];
  return name ? later(async () => (await import("./languages.js")).languages[name]()) : [];
}

/** @param {EditorView} view @param {import("@codemirror/state").Extension} support */
export function colour(view, support) {
  view.dispatch({ effects: language.reconfigure(support) });
}

/** @param {EditorView} view @param {import("./marks.js").Mark[]} found */
export function mark(view, found) {
  view.dispatch({ effects: setMarks.of(found.slice(0, MARKS)) });
}

/** @param {EditorState} state @param {import("@backstop-db/lint").Edit[]} edits */
export function edited(state, edits) {
  // A step of its own in the history: one undo takes it back, and nothing else.
  return state.update({ changes: edits, annotations: more ? more.apart : [], userEvent: "input.fix" });
}

/** @param {EditorView} view @param {number} from @param {number} to @param {boolean} focus */
export function select(view, from, to, focus) {
  const end = view.state.doc.length;
  const anchor = Math.min(from, end);
  view.dispatch({
    selection: { anchor, head: Math.min(to, end) },
    effects: EditorView.scrollIntoView(anchor, { y: "center" }),
  });
  if (focus) view.focus();
}
