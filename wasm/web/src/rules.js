// The index of rules: what is typed and chosen hides the others.

import { by, count } from "./dom.js";

const search = by("search", "input");
const severity = by("severity", "select");
const entries = [...document.querySelectorAll("[data-rule]")].map((element) => /** @type {HTMLElement} */ (element));

function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const entry of entries) {
    const text = entry.textContent?.toLowerCase() ?? "";
    entry.hidden = !words.every((word) => text.includes(word) || entry.dataset.group === word)
      || (severity.value !== "" && entry.dataset.severity !== severity.value);
    shown += entry.hidden ? 0 : 1;
  }
  for (const group of document.querySelectorAll("[data-rules]")) {
    /** @type {HTMLElement} */ (group).hidden = !group.querySelector("[data-rule]:not([hidden])");
  }
  by("shown").textContent = count(shown, "rule");
}

search.addEventListener("input", filter);
severity.addEventListener("change", filter);
filter();
