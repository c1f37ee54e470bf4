// One short message at the foot of the page, with one thing to do about it.

import { by, h } from "./dom.js";

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

/** @param {string} message @param {{ label: string, run: () => void }} [action] */
export function toast(message, action) {
  const element = by("toast");
  const hide = () => { element.hidden = true; };
  const button = action && h("button", { type: "button", click: () => { hide(); action.run(); } }, action.label);
  element.replaceChildren(h("span", null, message), ...(button ? [button] : []));
  element.hidden = false;
  clearTimeout(timer);
  timer = setTimeout(hide, action ? 9000 : 5000);
}
