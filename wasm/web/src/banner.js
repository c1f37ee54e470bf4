// What stands in the way, above the editor, until it is gone.

import { by, h, icon } from "./dom.js";

/** @param {string} message @param {{ label: string, href: string }} [link] */
export function banner(message, link) {
  const anchor = link && h("a", { class: "button small", href: link.href, rel: "noreferrer noopener", target: "_blank" }, link.label);
  by("banner").replaceChildren(icon("warning"), h("p", null, message), ...(anchor ? [anchor] : []));
  by("banner").hidden = false;
}

export function hideBanner() {
  by("banner").hidden = true;
}
