// The findings: a result in, cards out, and what is done with them.

import { by, count, h, icon } from "./dom.js";
import { ask } from "./linter.js";
import { inline, parse, toNodes } from "./markdown.js";
import { examples } from "./menus.js";

/** @typedef {import("@backstop-db/lint").Finding} Finding */
/** @typedef {import("@backstop-db/lint").Result} Result */
/**
 * @typedef {object} Does
 * @property {(place: { document: number, from: number, to: number }) => void} jump
 * @property {(findings: Finding[]) => void} fix
 * @property {(finding: Finding, reason: string) => Promise<boolean>} allow
 * @property {(id: string) => void} explain
 * @property {(files: import("@backstop-db/lint").File[]) => void} examples
 * @property {() => void} reset
 */
/** @typedef {{ rules: number, select: string[], isEmpty: boolean, concerned: boolean }} About */

/** Cards that are drawn at once. */
const PAGE = 200;
const SEVERITIES = /** @type {const} */ (["error", "warning", "note"]);

/** @type {Does} */
let does;
/** @type {Result} */
let result = { documents: [], findings: [], suppressed: 0 };
/** @type {About} */
let about = { rules: 0, select: [], isEmpty: true, concerned: true };
/** @type {Set<string>} */
const hidden = new Set();
let limit = PAGE;
/** @type {Map<Finding, HTMLElement>} */
let cards = new Map();
/** What is opened stays so while somebody types. @type {Set<string>} */
const opened = new Set();

/** @param {Does} handlers */
export function connect(handlers) {
  does = handlers;
}

/** @param {Result} next @param {About} more */
export function show(next, more) {
  result = next;
  about = more;
  limit = PAGE;
  draw();
}

/** Without a result; the way back to all rules stays. @param {string} why @param {string[]} select */
export function stop(why, select) {
  result = { documents: [], findings: [], suppressed: 0 };
  about = { ...about, select };
  by("status").textContent = why;
  drawFilters([0, 0, 0]);
  by("list").replaceChildren();
}

/** What the filters let through. */
export function visible() {
  return result.findings.filter((finding) => !hidden.has(finding.severity));
}

function draw() {
  const numbers = SEVERITIES.map((severity) => result.findings.filter((finding) => finding.severity === severity).length);
  const parts = SEVERITIES.flatMap((severity, index) => (numbers[index] ? [count(numbers[index], severity)] : []));
  const allowed = result.suppressed ? ` (${result.suppressed} allowed)` : "";
  const said = about.isEmpty ? "Nothing to check yet" : (parts.join(", ") || "No findings") + allowed;
  // Only what changed is read out.
  if (by("status").textContent !== said) by("status").textContent = said;
  drawFilters(numbers);
  const list = by("list");
  // Whoever works in the list by keyboard stays where they are, though every card is new.
  const held = [...list.querySelectorAll(".card")].findIndex((element) => element.contains(document.activeElement));
  cards = new Map();
  if (about.isEmpty) list.replaceChildren(welcome());
  else if (result.findings.length === 0) list.replaceChildren(clean());
  else list.replaceChildren(...groups());
  if (held >= 0) {
    const all = list.querySelectorAll(".what");
    /** @type {HTMLElement} */ (all[Math.min(held, all.length - 1)] ?? by("findings")).focus({ preventScroll: true });
  }
}

/** @param {number[]} numbers */
function drawFilters(numbers) {
  const held = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset.filter;
  const several = numbers.filter((number) => number > 0).length > 1 || hidden.size > 0;
  const chips = SEVERITIES.map((severity, index) => (several && (numbers[index] > 0 || hidden.has(severity))) && h("button", {
    type: "button",
    class: `chip ${severity}`,
    "data-filter": severity,
    "aria-pressed": String(!hidden.has(severity)),
    "aria-label": `${severity}s, ${numbers[index]}`,
    click: () => {
      if (!hidden.delete(severity)) hidden.add(severity);
      draw();
    },
  }, icon(severity), String(numbers[index])));
  const safe = result.findings.filter((finding) => finding.quick_fix?.safe);
  const all = safe.length > 1 && h("button", { type: "button", class: "button small", "data-filter": "fix", click: () => does.fix(safe) }, icon("wrench"), `Fix ${safe.length} safely`);
  const only = about.select.length > 0 && h("button", { type: "button", class: "chip only", "data-filter": "only", "aria-label": `Only ${about.select.join(", ")}: show all rules`, click: () => does.reset() }, `Only ${about.select.join(", ")}`, icon("close"));
  const filters = by("filters");
  filters.replaceChildren(.../** @type {Node[]} */ ([only, ...chips, all].filter(Boolean)));
  if (held) /** @type {HTMLElement | null} */ (filters.querySelector(`[data-filter="${held}"]`))?.focus();
}

/** @returns {Node[]} */
function groups() {
  const all = visible();
  let left = limit;
  /** @type {Node[]} */
  const nodes = [];
  for (const severity of SEVERITIES) {
    const own = all.filter((finding) => finding.severity === severity);
    const drawn = own.slice(0, left);
    left -= drawn.length;
    if (drawn.length === 0) continue;
    const id = `group-${severity}`;
    nodes.push(h("section", { class: "group", "aria-labelledby": id },
      h("h2", { id }, own.length === 1 ? severity : `${severity}s`, h("span", null, String(own.length))),
      ...drawn.map(card)));
  }
  const more = all.length - cards.size;
  if (more > 0) {
    nodes.push(h("button", { type: "button", class: "button more", click: () => { limit += PAGE; draw(); } }, `Show ${Math.min(more, PAGE)} of ${more.toLocaleString("en")} more`));
  }
  if (all.length === 0) nodes.push(h("div", { class: "empty" }, h("p", null, "What was found is hidden by the filters above.")));
  return nodes;
}

/** @param {Finding} finding */
function card(finding) {
  const { severity, message, help, rule, line, column, path, context, related, quick_fix } = finding;
  const several = result.documents.length > 1;
  const key = `${finding.fingerprint} ${path}`;
  const more = h("div", { class: "open" });
  const element = h("article", { class: "card" },
    icon(severity),
    h("button", { type: "button", class: "what", click: () => { does.jump(finding); current(finding); } },
      ...toNodes(inline(message))),
    h("p", { class: "where" },
      h("span", null, path === "untitled" ? `line ${line}, column ${column}` : `${path}:${line}:${column}`),
      context && h("span", null, context),
      h("button", { type: "button", class: "rule", "aria-label": `Rule ${rule}`, click: () => does.explain(rule) }, rule)),
    help && h("p", { class: "help" }, ...toNodes(inline(help))),
    related.length > 0 && h("ul", { class: "related" }, related.map((label) => h("li", null,
      h("button", { type: "button", click: () => does.jump(label) }, several ? `${label.path}:${label.line}` : `line ${label.line}`), ` ${label.message}`))),
    h("div", { class: "does" },
      quick_fix && h("button", { type: "button", class: "button small primary", title: quick_fix.title, click: () => does.fix([finding]) }, icon("wrench"), quick_fix.safe ? "Fix" : "Fix, then review"),
      h("button", { type: "button", class: "button small quiet", "aria-expanded": String(opened.has(key)), click: why }, "Why it matters"),
      finding.group !== "suppression" && h("button", { type: "button", class: "button small quiet", click: form }, "Allow here")),
    more);
  /** @param {Event} event */
  async function why(event) {
    const button = /** @type {HTMLButtonElement} */ (event.currentTarget);
    const isOpen = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!isOpen));
    if (isOpen) opened.delete(key);
    else opened.add(key);
    more.replaceChildren(...(isOpen ? [] : [await reason(rule)]));
  }
  function form() {
    if (more.querySelector("form")) {
      more.replaceChildren();
      return;
    }
    more.replaceChildren(allowance(finding, more));
    more.querySelector("input")?.focus();
  }
  if (opened.has(key)) reason(rule).then((text) => more.replaceChildren(text));
  cards.set(finding, element);
  return element;
}

/** @param {string} rule */
async function reason(rule) {
  const explained = await ask("explain", rule);
  const body = explained?.sections.find(({ heading }) => heading === "Why")?.body ?? "";
  return h("div", { class: "why" }, ...toNodes(parse(body)));
}

/** @param {Finding} finding @param {HTMLElement} place */
function allowance(finding, place) {
  const input = h("input", { type: "text", required: true, autocomplete: "off", placeholder: "the next step reads the archive to its end" });
  const label = h("label", null, "Why is this fine here?", input);
  return h("form", {
    submit: async (/** @type {Event} */ event) => {
      event.preventDefault();
      if (await does.allow(finding, input.value)) return;
      place.replaceChildren(h("div", { class: "why" }, h("p", null, "No comment can allow this here. In backstop.yml, ", h("code", null, "lint: per_path_ignores"), " leaves a rule out for a path.")));
    },
  }, label, h("button", { class: "button small primary" }, "Insert the comment"));
}

/**
 * Shows the card of what the cursor stands in; `still`: where it is.
 *
 * @param {number} document @param {number} at @param {{ known?: Finding, still?: boolean }} [how]
 */
export function follow(document, at, { known, still = false } = {}) {
  const inside = (/** @type {Finding} */ finding) => finding.document === document && finding.from <= at && at <= finding.to;
  const found = known ?? [...cards.keys()].filter(inside).sort((a, b) => a.to - a.from - (b.to - b.from))[0];
  current(found);
  const element = found && cards.get(found);
  const list = by("findings");
  // On a phone the list lies below the editor: nothing may move under the finger.
  if (!still && element && getComputedStyle(list).overflowY === "auto") {
    const { top, bottom } = element.getBoundingClientRect();
    const frame = list.getBoundingClientRect();
    if (top < frame.top + 56 || bottom > frame.bottom) list.scrollTop += top - frame.top - 64;
  }
}

/** @param {Finding | undefined} finding */
function current(finding) {
  for (const [other, element] of cards) {
    element.classList.toggle("current", other === finding);
    if (other === finding) element.setAttribute("aria-current", "true");
    else element.removeAttribute("aria-current");
  }
}

/** @param {Finding} finding */
export function tip({ message, help, rule }) {
  return h("div", null, h("strong", null, ...toNodes(inline(message))), help && h("p", null, ...toNodes(inline(help))), h("code", null, rule));
}

function welcome() {
  const tries = h("div", { class: "tries" });
  examples().then((all) => tries.append(...all.map((example) => h("button", { type: "button", click: () => does.examples(example.files) },
    example.title, h("small", null, example.about)))));
  return h("div", { class: "empty wide" },
    h("h2", null, "What will go wrong with your backups?"),
    h("p", null, `Paste what takes, keeps or restores them on the left. ${about.rules} rules look at it as you type. Or start from an example:`),
    tries);
}

function clean() {
  const text = about.concerned
    ? [`None of ${about.select.length || about.rules} rules found anything in these files. `, "Whether a backup restores is known only once it was restored: ", h("code", null, "backstop verify"), " does that."]
    : ["Nothing here speaks of backups, so it was searched for secrets alone. If that is wrong, choose its kind above."];
  return h("div", { class: "empty" }, h("div", { class: "tick" }, icon("check")), h("h2", null, "No findings"), h("p", null, ...text));
}
