// The editor: CodeMirror with marks for findings, in the colours of the page.

import { defaultKeymap, history, historyKeymap, isolateHistory } from "@codemirror/commands";
import { HighlightStyle, bracketMatching, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, setDiagnostics } from "@codemirror/lint";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { Compartment, EditorState, Transaction } from "@codemirror/state";
import { EditorView, drawSelection, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers, placeholder } from "@codemirror/view";
import { tags } from "@lezer/highlight";

/** Marks beyond these would make the editor slow, and tell nobody anything. */
const MARKS = 500;

const language = new Compartment();
const label = new Compartment();

const highlight = HighlightStyle.define([
  { tag: [tags.comment, tags.meta], color: "var(--code-comment)" },
  { tag: [tags.keyword, tags.operatorKeyword, tags.definitionKeyword], color: "var(--code-keyword)" },
  { tag: [tags.string, tags.special(tags.string), tags.monospace], color: "var(--code-string)" },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], color: "var(--code-number)" },
  { tag: [tags.propertyName, tags.definition(tags.propertyName), tags.attributeName, tags.variableName, tags.definition(tags.variableName)], color: "var(--code-name)" },
  { tag: [tags.standard(tags.variableName), tags.typeName, tags.link, tags.url], color: "var(--code-builtin)" },
  { tag: tags.heading, color: "var(--text)", fontWeight: "650" },
  { tag: tags.strong, fontWeight: "650" },
  { tag: tags.emphasis, fontStyle: "italic" },
  { tag: tags.invalid, color: "var(--error)" },
]);

const theme = EditorView.theme({
  "&": { height: "100%", fontSize: "var(--code-size)", backgroundColor: "transparent", color: "var(--text)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.6" },
  ".cm-content": { padding: "12px 0 40vh", caretColor: "var(--accent)" },
  ".cm-line": { padding: "0 16px 0 8px" },
  ".cm-gutters": { backgroundColor: "transparent", color: "var(--faint)", border: "none", paddingLeft: "4px" },
  ".cm-lineNumbers .cm-gutterElement": { padding: "0 6px 0 8px", minWidth: "28px" },
  ".cm-gutter-lint": { width: "18px" },
  ".cm-gutter-lint .cm-gutterElement": { padding: "0" },
  ".cm-lint-marker": { width: "10px", height: "10px", margin: "6px auto 0", content: "none", borderRadius: "50%" },
  ".cm-lint-marker-error": { backgroundColor: "var(--error)" },
  ".cm-lint-marker-warning": { backgroundColor: "var(--warning)", borderRadius: "2px", transform: "rotate(45deg) scale(.85)" },
  ".cm-lint-marker-info": { backgroundColor: "transparent", boxShadow: "inset 0 0 0 2px var(--note)" },
  ".cm-lintRange": { backgroundImage: "none", paddingBottom: "1px" },
  ".cm-lintRange-error": { textDecoration: "underline wavy var(--error) 1px", textUnderlineOffset: "4px" },
  ".cm-lintRange-warning": { textDecoration: "underline wavy var(--warning) 1px", textUnderlineOffset: "4px" },
  ".cm-lintRange-info": { textDecoration: "underline dotted var(--note) 2px", textUnderlineOffset: "4px" },
  ".cm-lintRange-active": { backgroundColor: "var(--mark)" },
  ".cm-lintPoint:after": { display: "none" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--line)" },
  ".cm-activeLineGutter": { color: "var(--muted)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { background: "var(--selection) !important" },
  ".cm-selectionMatch": { backgroundColor: "var(--mark)" },
  ".cm-cursor": { borderLeftColor: "var(--accent)", borderLeftWidth: "2px" },
  ".cm-placeholder": { color: "var(--muted)", whiteSpace: "pre-wrap" },
  ".cm-tooltip": { backgroundColor: "var(--raised)", color: "var(--text)", border: "1px solid var(--border)", borderRadius: "8px", boxShadow: "var(--shadow)", overflow: "hidden", maxWidth: "min(520px, 90vw)" },
  ".cm-diagnostic": { padding: "10px 14px", fontFamily: "var(--sans)", fontSize: "13.5px", lineHeight: "1.5", border: "none !important", whiteSpace: "normal" },
  ".cm-diagnostic + .cm-diagnostic": { borderTop: "1px solid var(--border) !important" },
  ".cm-diagnosticAction": { font: "inherit", fontSize: "12.5px", margin: "8px 8px 0 0", padding: "3px 10px", borderRadius: "6px", backgroundColor: "var(--accent)", color: "var(--on-accent)", cursor: "pointer" },
  ".cm-panels": { backgroundColor: "var(--surface)", color: "var(--text)", borderColor: "var(--border) !important" },
  ".cm-panel.cm-search": { fontFamily: "var(--sans)", padding: "8px" },
  ".cm-textfield": { backgroundColor: "var(--page)", border: "1px solid var(--border)", borderRadius: "6px", color: "var(--text)" },
  ".cm-button": { backgroundImage: "none", backgroundColor: "var(--page)", border: "1px solid var(--border)", borderRadius: "6px", color: "var(--text)" },
});

/**
 * @param {(view: EditorView, pasted: boolean) => void} changed
 * @param {(view: EditorView) => void} moved
 */
function extensions(changed, moved) {
  return [
    lineNumbers(),
    lintGutter(),
    history(),
    drawSelection(),
    bracketMatching(),
    highlightActiveLine(),
    highlightActiveLineGutter(),
    highlightSelectionMatches(),
    search({ top: true }),
    indentUnit.of("  "),
    EditorView.lineWrapping,
    EditorView.cspNonce.of("codemirror"),
    language.of([]),
    label.of([]),
    theme,
    syntaxHighlighting(highlight),
    placeholder("Paste a backup script, a workflow, a lifecycle policy, a .env,\na migration or a whole strategy document,\nor drop files here."),
    // Tab moves on, as everywhere on the page: this is a place to read and to paste.
    keymap.of([...defaultKeymap, ...historyKeymap, ...searchKeymap]),
    EditorView.updateListener.of((update) => {
      if (update.docChanged) {
        const typed = update.transactions.some((one) => one.isUserEvent("input.type") || one.isUserEvent("delete"));
        changed(update.view, !typed);
      } else if (update.selectionSet) {
        moved(update.view);
      }
    }),
  ];
}

/** @type {ReturnType<typeof extensions>} */
let all = [];

/**
 * @param {HTMLElement} parent
 * @param {(view: EditorView, pasted: boolean) => void} changed
 * @param {(view: EditorView) => void} moved
 */
export function create(parent, changed, moved) {
  all = extensions(changed, moved);
  const view = new EditorView({ state: stateOf(""), parent });
  // A region that scrolls can be reached by the keyboard.
  view.scrollDOM.tabIndex = -1;
  return view;
}

/** @param {string} text */
export function stateOf(text) {
  return EditorState.create({ doc: text, extensions: all });
}

/** @param {EditorView} view @param {string} name */
export function describe(view, name) {
  view.dispatch({ effects: label.reconfigure(EditorView.contentAttributes.of({ "aria-label": `Text of ${name}`, spellcheck: "false" })) });
}

/** Loads what colours a kind of document. Each is a file of its own, fetched when it is needed. */
const languages = {
  yaml: async () => (await import("@codemirror/lang-yaml")).yaml(),
  json: async () => (await import("@codemirror/lang-json")).json(),
  sql: async () => {
    const { sql, PostgreSQL } = await import("@codemirror/lang-sql");
    return sql({ dialect: PostgreSQL });
  },
  shell: async () => legacy((await import("@codemirror/legacy-modes/mode/shell")).shell),
  properties: async () => legacy((await import("@codemirror/legacy-modes/mode/properties")).properties),
  javascript: async () => legacy((await import("@codemirror/legacy-modes/mode/javascript")).typescript),
  markdown: async () => {
    const [{ markdown }, { yaml }, shell, json, sql] = await Promise.all([
      import("@codemirror/lang-markdown"), import("@codemirror/lang-yaml"), languages.shell(), languages.json(), languages.sql(),
    ]);
    const fences = { yaml: yaml(), yml: yaml(), bash: shell, sh: shell, shell, json, sql };
    return markdown({ codeLanguages: (info) => fences[/** @type {keyof typeof fences} */ (info)]?.language ?? null });
  },
};

/** @param {import("@codemirror/language").StreamParser<any>} parser */
async function legacy(parser) {
  const { LanguageSupport, StreamLanguage } = await import("@codemirror/language");
  return new LanguageSupport(StreamLanguage.define(parser));
}

/** @type {Record<string, keyof typeof languages>} */
const OF_KIND = {
  workflow: "yaml", action: "yaml", compose: "yaml", backstop: "yaml", kubernetes: "yaml",
  lifecycle: "json", "bucket-policy": "json",
  shell: "shell", crontab: "shell", env: "properties", systemd: "properties",
  sql: "sql", drizzle: "javascript", typescript: "javascript", markdown: "markdown",
};

/** @param {EditorView} view @param {string} kind */
export async function colour(view, kind) {
  const state = view.state;
  const name = OF_KIND[kind];
  const support = name ? await languages[name]() : [];
  if (view.state === state || view.state.doc === state.doc) view.dispatch({ effects: language.reconfigure(support) });
}

/** @typedef {import("@codemirror/lint").Diagnostic} Diagnostic */

/** @param {EditorView} view @param {Diagnostic[]} diagnostics */
export function mark(view, diagnostics) {
  view.dispatch(setDiagnostics(view.state, diagnostics.slice(0, MARKS)));
}

/** @param {EditorState} state @param {import("@backstop-db/lint").Edit[]} edits */
export function edited(state, edits) {
  // A step of its own in the history: one undo takes it back, and nothing else.
  const annotations = [isolateHistory.of("full"), Transaction.userEvent.of("input.fix")];
  return state.update({ changes: edits, annotations });
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
