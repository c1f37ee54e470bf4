// The page: puts files, editor, linter and findings together.


import { banner, hideBanner } from "./banner.js";
import * as dialogs from "./dialogs.js";
import { by, count } from "./dom.js";
import { dropped, read } from "./drop.js";
import * as editor from "./editor.js";
import * as findings from "./findings.js";
import { fitting } from "./fixes.js";
import { FILES, LIMIT, decode } from "./link.js";
import { Crash, ask } from "./linter.js";
import * as memory from "./memory.js";
import * as menus from "./menus.js";
import * as session from "./session.js";
import * as tabs from "./tabs.js";
import { toast } from "./toast.js";

/** @typedef {import("@backstop-db/lint").Finding} Finding */
/** @typedef {import("@backstop-db/lint").Result} Result */
/** @typedef {import("./session.js").Tab} Tab */

const DEBOUNCE = 150;

/** Rules that a link asks for; none: all. @type {string[]} */
let select = [];
/** @type {Result} */
let result = { documents: [], findings: [], suppressed: 0 };
/** Which texts the result is of: findings of others have no place. @type {Map<number, import("@codemirror/state").Text>} */
let seen = new Map();
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
let running = false;
let again = false;

const view = editor.create(by("editor"), updated);

/** @param {import("@codemirror/view").ViewUpdate} update */
function updated({ state, docChanged, selectionSet, transactions }) {
  session.active.state = state;
  if (docChanged) {
    const isTyped = transactions.some((one) => one.isUserEvent("input.type") || one.isUserEvent("delete"));
    schedule(isTyped ? DEBOUNCE : 0);
  } else if (selectionSet && isCurrent(session.active)) {
    findings.follow(indexOf(session.active), state.selection.main.head);
  }
}

/** @param {number} delay */
function schedule(delay) {
  clearTimeout(timer);
  timer = setTimeout(lint, delay);
}

async function lint() {
  clearTimeout(timer);
  // One at a time: what is typed meanwhile is looked at next, all at once.
  if (running) {
    again = true;
    return;
  }
  const checked = session.tabs;
  const files = session.files();
  const size = files.reduce((sum, file) => sum + file.text.length, 0);
  if (size > LIMIT) {
    banner(`These files hold ${count(size, "character")}; more than ${LIMIT.toLocaleString("en")} are not checked here. backstop lint in a terminal has no such limit.`);
    findings.stop("Too large to check here", select);
    return;
  }
  running = true;
  try {
    const found = await ask("lint", files, select.length > 0 ? { select } : {});
    // Files may have come and gone meanwhile.
    if (checked === session.tabs) {
      result = found;
      seen = new Map(checked.map((tab) => [tab.id, tab.state.doc]));
      hideBanner();
      shown(files);
    } else {
      again = true;
    }
  } catch (cause) {
    failed(/** @type {Error} */ (cause));
  }
  running = false;
  if (again || session.tabs.some((tab, index) => files[index]?.text !== session.text(tab))) {
    again = false;
    schedule(cooling ? 1000 : 0);
  }
}

/** After a crash the same text is not tried again. */
let cooling = false;

/** @param {Error} cause */
function failed(cause) {
  cooling = cause instanceof Crash;
  if (cause instanceof Crash) {
    banner("The checker crashed on this text and was started again. Change the text to go on. Please report what it was, without secrets.", {
      label: "Report",
      href: "https://github.com/backstop-db/backstop/issues/new",
    });
    findings.stop("The checker crashed", select);
  } else {
    banner(`These files cannot be checked: ${cause.message}.`);
    findings.stop("Not checked", select);
  }
}

/** @param {import("@backstop-db/lint").File[]} files */
function shown(files) {
  cooling = false;
  result.documents.forEach((about, index) => {
    const tab = session.tabs[index];
    tab.concerned = about.concerns_backups;
    if (tab.detected !== about.kind || !tab.kind) tab.detected = about.kind;
  });
  drawTabs();
  drawAbout();
  // Places count in the text that was checked; if it has changed since, the next result is near.
  const isFresh = files[indexOf(session.active)]?.text === session.text(session.active);
  if (isFresh) drawMarks();
  findings.show(result, { rules: RULES, select, isEmpty: session.isEmpty(), concerned: session.tabs.some((tab) => tab.concerned) });
  if (isFresh) findings.follow(indexOf(session.active), view.state.selection.main.head, { still: true });
  remember();
}

/** @param {Tab} tab */
function indexOf(tab) {
  return session.tabs.indexOf(tab);
}

/** Whether the findings of a file are those of its present text. @param {Tab} tab */
function isCurrent(tab) {
  return seen.get(tab.id) === tab.state.doc || seen.get(tab.id)?.eq(tab.state.doc) === true;
}

function drawMarks() {
  const document = indexOf(session.active);
  const end = view.state.doc.length;
  const own = result.findings.filter((finding) => finding.document === document);
  editor.mark(view, own.map((finding) => ({
    from: Math.min(finding.from, end),
    to: Math.min(Math.max(finding.to, finding.from), end),
    severity: finding.severity,
    tip: () => findings.tip(finding),
  })));
}

/** @param {Tab} tab @param {boolean} [focus] */
function show(tab, focus = false) {
  session.show(tab);
  editor.open(view, tab.state, tab.path);
  colour();
  if (isCurrent(tab)) drawMarks();
  drawTabs();
  drawAbout();
  if (focus) view.focus();
}

/** Which file the editor is coloured for, and as which kind. */
let coloured = "";

/** What the file that is shown is to be coloured as. */
function uncoloured() {
  const { id, kind, detected } = session.active;
  return { kind: kind || detected, key: `${id} ${kind || detected}` };
}

async function colour() {
  const { kind, key } = uncoloured();
  try {
    const colours = await editor.colours(kind);
    if (key === uncoloured().key) editor.colour(view, colours);
  } finally {
    if (key === uncoloured().key) coloured = key;
  }
}

function drawTabs() {
  tabs.draw(result.findings, { show, close });
}

function drawAbout() {
  const tab = session.active;
  const path = by("path", "input");
  if (document.activeElement !== path) path.value = tab.path;
  const kind = by("kind", "select");
  const auto = kind.options[0];
  if (auto) auto.text = `Auto: ${menus.KINDS[tab.kind ? "" : tab.detected] ?? "as the text says"}`;
  kind.value = tab.kind;
  if (coloured !== uncoloured().key) colour();
}

/** @param {Tab} tab */
function close(tab) {
  const index = indexOf(tab);
  const rest = session.tabs.filter((other) => other !== tab);
  session.replace(rest, session.active === tab ? rest[Math.min(index, rest.length - 1)] : session.active);
  reopen();
  toast(`Closed ${tab.path}.`, { label: "Undo", run: () => bringBack(tab, index) });
}

/** Among what is open now. @param {Tab} tab @param {number} index */
function bringBack(tab, index) {
  if (!hasRoom()) return;
  tab.path = session.free(tab.path);
  session.replace(session.tabs.toSpliced(index, 0, tab), tab);
  reopen();
}

function reopen() {
  editor.open(view, session.active.state, session.active.path);
  seen = new Map();
  coloured = "";
  drawTabs();
  drawAbout();
  schedule(0);
}

/**
 * @param {import("@backstop-db/lint").File[]} files
 * @param {string[]} [selected]
 * @param {string} [said] What there is to say of them.
 */
function open(files, selected = [], said = "") {
  const before = { tabs: session.tabs, active: session.active, select, lent };
  const wasEmpty = session.isEmpty();
  session.replace([]);
  for (const file of files) add(file);
  if (session.tabs.length === 0) add({ path: "untitled", text: "" });
  session.replace([...session.tabs]);
  select = selected;
  lent = JSON.stringify(session.files());
  reopen();
  if (wasEmpty) {
    if (said) toast(said);
    return;
  }
  toast(`${said} Other files were open.`.trim(), {
    label: "Bring them back",
    run: () => {
      session.replace(before.tabs, before.active);
      ({ select, lent } = before);
      reopen();
    },
  });
}

/** @param {import("@backstop-db/lint").File} file */
function add({ path, text, kind }) {
  const ending = text.includes("\r\n") ? "\r\n" : "\n";
  const tab = session.make(editor.stateOf(text), { path: session.free(path), kind: kind && kind in menus.KINDS ? kind : "", ending });
  session.tabs.push(tab);
  return tab;
}

/** Whether one more file may be open; it is said where it may not. */
function hasRoom() {
  const room = session.tabs.length < FILES;
  if (!room) toast(`No more than ${FILES} files can be open.`);
  return room;
}

/** Files that were dropped or picked. @param {Iterable<File>} chosen */
async function take(chosen) {
  // An empty sheet is what they were dropped on, not a file of its own.
  const own = () => session.tabs.filter((tab) => tab.state.doc.length > 0 || tab.path !== "untitled");
  const { files, refused } = await read(chosen, () => FILES - own().length);
  if (refused.length > 0) toast(`Not opened: ${refused.join(", ")}.`);
  if (files.length === 0) return;
  session.replace(own(), session.active);
  const added = files.map(add);
  session.replace([...session.tabs], added[0]);
  reopen();
}

/** @param {Finding[]} wanted */
function fix(wanted) {
  let applied = 0;
  /** @type {Tab[]} */
  const changed = [];
  for (const tab of session.tabs) {
    const own = wanted.filter((finding) => finding.document === indexOf(tab) && finding.quick_fix && isCurrent(tab));
    const { edits, count } = fitting(own);
    if (count === 0) continue;
    applied += count;
    changed.push(tab);
    change(tab, edits);
  }
  if (applied === 0) return;
  const said = applied === 1 && wanted.length === 1 ? `Done: ${wanted[0].quick_fix?.title}.` : `${count(applied, "fix")} applied.`;
  toast(said, { label: "Undo", run: () => undo(changed) });
}

/** Takes back the latest change of each, whichever is shown. @param {Tab[]} changed */
function undo(changed) {
  for (const tab of changed.filter((tab) => session.tabs.includes(tab))) editor.undo(target(tab));
  view.focus();
}

/** @param {Tab} tab @param {import("@backstop-db/lint").Edit[]} edits */
function change(tab, edits) {
  const sorted = [...edits].sort((a, b) => a.from - b.from);
  const { state, dispatch } = target(tab);
  dispatch(editor.edited(state, sorted));
}

/** Where changes of a text go. @param {Tab} tab */
function target(tab) {
  const isShown = tab === session.active;
  return {
    state: isShown ? view.state : editor.complete(tab.state),
    dispatch: (/** @type {import("@codemirror/state").Transaction} */ transaction) => {
      if (isShown) {
        view.dispatch(transaction);
        return;
      }
      tab.state = transaction.state;
      schedule(0);
    },
  };
}

/** @param {{ document: number, from: number, to: number }} place @param {boolean} [focus] */
function jump(place, focus = true) {
  const tab = session.tabs[place.document];
  if (!tab) return;
  if (tab !== session.active) show(tab);
  editor.select(view, place.from, place.to, focus);
  by("editor").scrollIntoView({ block: "nearest" });
}

/** Whether a comment can allow it. @param {Finding} finding @param {string} reason @returns {Promise<boolean>} */
async function allow(finding, reason) {
  const tab = session.tabs[finding.document];
  const still = () => {
    if (!tab || !isCurrent(tab)) throw new Error("the text was changed meanwhile; try again");
  };
  still();
  const edit = await ask("allow", session.files(), finding, reason, select.length > 0 ? { select } : {});
  if (!edit) return false;
  still();
  change(tab, [edit]);
  toast("Allowed by a comment.", { label: "Undo", run: () => undo([tab]) });
  return true;
}

/** The finding before or behind the cursor, through all files. @param {number} direction */
function step(direction) {
  const all = [...findings.visible()].sort((a, b) => a.document - b.document || a.from - b.from || a.to - b.to);
  if (all.length === 0) return;
  const document = indexOf(session.active);
  const { from, to } = view.state.selection.main;
  const key = (/** @type {Finding} */ finding) => finding.document - document || finding.from - from || finding.to - to;
  const next = direction > 0 ? all.find((finding) => key(finding) > 0) ?? all[0] : all.findLast((finding) => key(finding) < 0) ?? all[all.length - 1];
  jump(next);
  findings.follow(next.document, next.from, { known: next });
}

/** What was opened from an example or a link, until it is changed: not what somebody works at. */
let lent = "";

function remember() {
  const files = session.files();
  if (JSON.stringify(files) === lent) return;
  lent = "";
  if (by("remember", "input").checked) memory.keep(files);
}

function themed() {
  if (by("remember", "input").checked) memory.keepTheme();
}

/** @returns {Promise<boolean>} */
async function openLink() {
  try {
    const shared = await decode(location.hash);
    if (!shared) return false;
    const [known, unknown] = [true, false].map((wanted) => shared.select.filter((name) => NAMES.includes(name) === wanted));
    open(shared.files, known, unknown.length > 0 ? `This version has no ${unknown.join(", ")}.` : "");
    // A reload shows what has become of it.
    history.replaceState(null, "", location.pathname + location.search);
    return true;
  } catch (cause) {
    toast(`${/** @type {Error} */ (cause).message}.`);
    return false;
  }
}

findings.connect({ jump, fix, allow, explain: (id) => dialogs.explain(id, open), examples: open, reset: () => { select = []; schedule(0); } });
menus.connect({ open, files: session.files, saved: session.saved, select: () => select, themed });

by("add").addEventListener("click", () => {
  if (!hasRoom()) return;
  const tab = add({ path: "untitled", text: "" });
  session.replace([...session.tabs], session.active);
  show(tab, true);
  schedule(0);
});
by("open").addEventListener("click", () => by("picker", "input").click());
by("picker", "input").addEventListener("change", async () => {
  const picker = by("picker", "input");
  await take(picker.files ?? []);
  picker.value = "";
});
by("path", "input").addEventListener("change", () => {
  const tab = session.active;
  tab.path = session.free(by("path", "input").value.trim().replace(/^\/+/, "") || "untitled", tab);
  by("path", "input").value = tab.path;
  editor.describe(view, tab.path);
  drawTabs();
  schedule(0);
});
by("kind", "select").addEventListener("change", () => {
  session.active.kind = by("kind", "select").value;
  drawAbout();
  schedule(0);
});
by("remember", "input").addEventListener("change", () => {
  if (by("remember", "input").checked) {
    lent = "";
    remember();
    themed();
  } else memory.forget();
});
by("privacy").addEventListener("click", dialogs.privacy);
by("share").addEventListener("click", () => dialogs.share(session.files(), select));

addEventListener("keydown", (event) => {
  if (event.key === "F8") {
    event.preventDefault();
    step(event.shiftKey ? -1 : 1);
  } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !by("dialog", "dialog").open) {
    event.preventDefault();
    schedule(0);
  }
});
addEventListener("hashchange", openLink);
// Whatever was asked for and does not work is said.
addEventListener("unhandledrejection", ({ reason }) => toast(`That did not work: ${reason?.message ?? reason}.`));

dropped(take);

document.body.classList.add("app");
const kept = memory.recall();
by("remember", "input").checked = kept !== undefined;
open(kept ?? []);
openLink();
// Where a browser refuses, as in a private window, the page works with a network alone.
navigator.serviceWorker?.register(new URL("../sw.js", import.meta.url)).catch(() => undefined);
