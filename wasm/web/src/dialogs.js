// What opens over the page: how private it is, a link to share, a rule.

import { by, count, h, icon } from "./dom.js";
import { LONG, encode } from "./link.js";
import { ask } from "./linter.js";
import { parse, toNodes } from "./markdown.js";
import { toast } from "./toast.js";

/** @typedef {import("@backstop-db/lint").File} File */

/** @param {string} title @param {(Node | string)[]} body @param {Node[]} [foot] */
function open(title, body, foot = []) {
  const dialog = by("dialog", "dialog");
  const close = h("button", { type: "button", class: "button quiet square", "aria-label": "Close", click: () => dialog.close() }, icon("close"));
  const content = h("div", { class: "dialog-body", tabindex: "0", role: "region", "aria-labelledby": "dialog-title" }, ...body);
  dialog.replaceChildren(h("div", { class: "dialog-head" }, h("h2", { id: "dialog-title" }, title), close), content,
    ...(foot.length > 0 ? [h("div", { class: "dialog-foot" }, ...foot)] : []));
  if (!dialog.open) dialog.showModal();
  content.scrollTop = 0;
  dialog.onclick = (event) => {
    // On what lies around it.
    if (event.target === dialog) dialog.close();
  };
}

export function privacy() {
  open("Nothing leaves this tab", [
    h("p", null, "The checker is a program in this page (WebAssembly). Your files go to it, and nowhere else: there is no server, no account, no counting of visits."),
    h("p", null, "You need not take our word for it:"),
    h("ul", null,
      h("li", null, "The page's Content-Security-Policy lets it ask its own address only, for its own files, and the browser enforces that. It is at the head of the page's source."),
      h("li", null, "Open the developer tools, tab Network, and paste something: nothing is asked for."),
      h("li", null, "Switch the network off and reload: the page goes on to work."),
      h("li", null, h("a", { href: "https://github.com/backstop-db/backstop/tree/main/wasm", rel: "noreferrer noopener", target: "_blank" }, "Read the source"), ", or build the page yourself and open it from your own machine.")),
    h("p", null, "Nothing is stored either, unless you tick “Remember on this device”: then your files stay in this browser until you untick it. A link that you copy holds your files; it is made only when you ask for it."),
  ]);
}

/** @param {File[]} files @param {string[]} select */
export async function share(files, select) {
  const masked = await Promise.all(files.map(async (file) => {
    const { text, lines } = await ask("mask", file);
    return { file: { ...file, text }, lines };
  }));
  const secrets = masked.reduce((sum, one) => sum + one.lines, 0);
  const mask = h("input", { type: "checkbox", id: "mask", checked: true });
  const address = h("input", { type: "text", readonly: true, "aria-label": "Link", focus: () => address.select() });
  const size = h("p", { class: "hint", role: "status" });
  const copy = h("button", { type: "button", class: "button primary", click: copied }, icon("link"), "Copy");

  /** What was asked for last: an older link is neither shown nor copied, it may hold secrets. @type {Promise<string>} */
  let latest;

  async function draw() {
    address.value = "";
    const chosen = mask.checked ? masked.map((one) => one.file) : files;
    const own = encode({ files: chosen, select }).then((fragment) => `${location.origin}${location.pathname}${fragment}`);
    latest = own;
    const link = await own;
    if (own !== latest) return;
    address.value = link;
    size.textContent = address.value.length > LONG
      ? `${count(address.value.length, "character")}: some programs cut links as long as this. Saving the files is safer.`
      : count(address.value.length, "character");
  }
  async function copied() {
    const link = await latest;
    address.select();
    try {
      await navigator.clipboard.writeText(link);
      by("dialog", "dialog").close();
      toast("Link copied.");
    } catch {
      size.textContent = "This browser does not let the page copy: the link is selected, copy it yourself.";
    }
  }
  mask.addEventListener("change", draw);
  const names = files.length === 1 ? `the whole text of ${files[0].path}` : `the whole text of all ${files.length} files`;
  const found = secrets > 0
    ? h("label", { class: "check" }, mask, `Mask ${secrets === 1 ? "the line with a secret" : `the ${secrets} lines with secrets`} in it`)
    : h("p", { class: "hint" }, "No secret was found in it.");
  await draw();
  open("Copy link", [
    h("p", null, `The link contains ${names}. It is the part behind #, which browsers do not send to any server; but whoever gets the link can read it.`),
    found, h("div", { class: "row" }, address, copy), size,
  ]);
  copy.focus();
}

/** @param {string} id @param {(files: File[], select?: string[]) => void} show */
export async function explain(id, show) {
  const rule = await ask("explain", id);
  if (!rule) return;
  const attempt = (/** @type {string} */ label, /** @type {File[] | undefined} */ files) => files && h("button", {
    type: "button",
    class: "button small",
    click: () => {
      by("dialog", "dialog").close();
      show(files, [id]);
    },
  }, label);
  const tags = h("p", { class: "tags" }, h("span", { class: `tag ${rule.severity}` }, icon(rule.severity), rule.severity), h("span", { class: "tag" }, rule.group),
    rule.fix !== "no" && h("span", { class: "tag" }, icon("wrench"), rule.fix === "always" ? "can be fixed" : "can sometimes be fixed"));
  const sections = rule.sections.flatMap(({ heading, body }) => [h("h3", null, heading), ...toNodes(parse(body))]);
  open(id, [tags, h("div", { class: "docs" }, h("p", null, ...toNodes(parse(rule.summary))[0].childNodes), ...sections)],
    /** @type {Node[]} */ ([attempt("Try the bad example", rule.bad[0]), attempt("Try the good one", rule.good[0]), h("a", { class: "button small", href: `rules/${id}/`, target: "_blank" }, "Page of this rule")].filter(Boolean)));
}
