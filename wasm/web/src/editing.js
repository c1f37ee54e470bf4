// What it takes to edit: keys, undo, search, colours of code. Loaded behind the page.

import { defaultKeymap, history, historyKeymap, isolateHistory, undo } from "@codemirror/commands";
import { HighlightStyle, bracketMatching, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { keymap } from "@codemirror/view";
import { tags } from "@lezer/highlight";

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

export const extensions = [
  history(),
  bracketMatching(),
  highlightSelectionMatches(),
  search({ top: true }),
  indentUnit.of("  "),
  syntaxHighlighting(highlight),
  // Tab moves on, as everywhere on the page: this is a place to read and to paste.
  // Ctrl-Enter checks, and inserts nothing.
  keymap.of([...defaultKeymap.filter(({ key }) => key !== "Mod-Enter"), ...historyKeymap, ...searchKeymap]),
];

/** A step of its own in the history. */
export const apart = isolateHistory.of("full");

export { undo };
