// The tabs above the editor: one for each file, with the worst that was found in it.

import { by, h, icon } from "./dom.js";
import * as session from "./session.js";

/** @typedef {import("./session.js").Tab} Tab */

/**
 * @param {import("@backstop-db/lint").Finding[]} findings
 * @param {{ show: (tab: Tab) => void, close: (tab: Tab) => void }} does
 */
export function draw(findings, does) {
  const worst = (/** @type {number} */ document) => {
    const own = findings.filter((finding) => finding.document === document);
    return ["error", "warning", "note"].find((severity) => own.some((finding) => finding.severity === severity)) ?? "";
  };
  const list = by("tabs");
  const held = list.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement).dataset.tab : undefined;
  list.replaceChildren(...session.tabs.map((tab, index) => {
    const isActive = tab === session.active;
    const several = session.tabs.length > 1;
    const level = worst(index);
    return h("li", { class: `tab${isActive ? " active" : ""}` },
      h("button", { type: "button", "data-tab": tab.id, title: tab.path, "aria-current": isActive ? "true" : null, click: () => does.show(tab) },
        h("i", { class: `dot ${level}`, "aria-hidden": "true" }), h("span", null, session.short(tab))),
      several && h("button", { type: "button", class: "shut", "data-tab": `shut-${tab.id}`, "aria-label": `Close ${tab.path}`, click: () => does.close(tab) }, icon("close")));
  }));
  if (!held) return;
  // Each is new: whoever goes through them by keyboard stays where they are.
  const same = list.querySelector(`[data-tab="${held}"]`) ?? list.querySelector("[aria-current]");
  /** @type {HTMLElement | null} */ (same)?.focus();
}
