// The menus of the header: examples, what can be saved, the theme; and the kinds.

import { by, count, h } from "./dom.js";
import { later } from "./later.js";
import { ask } from "./linter.js";

/** @typedef {import("@backstop-db/lint").File} File */
/** @typedef {{ title: string, about: string, files: File[] }} Example */

/** Each kind as a person calls it. @type {Record<string, string>} */
export const KINDS = {
  workflow: "GitHub workflow", action: "Composite action", shell: "Shell script", crontab: "Crontab",
  systemd: "systemd unit", compose: "Compose file", kubernetes: "Kubernetes", lifecycle: "Bucket lifecycle",
  "bucket-policy": "Bucket policy", env: ".env file", pgpass: "Password file", sql: "SQL",
  drizzle: "Drizzle configuration", typescript: "TypeScript", backstop: "backstop.yml", markdown: "Document", text: "Plain text",
};

/** @returns {Promise<Example[]>} */
export async function examples() {
  return (await later(() => import("virtual:examples"))).default;
}

const FORMATS = /** @type {const} */ ([
  ["json", "JSON", "findings.json", "application/json", "For programs, with stable keys"],
  ["sarif", "SARIF 2.1.0", "findings.sarif", "application/sarif+json", "For code scanning"],
  ["markdown", "Markdown", "findings.md", "text/markdown", "A table for an issue or a review"],
]);

/**
 * @param {{ open: (files: File[]) => void, files: () => File[], saved: () => { name: string, text: string }[], select: () => string[], themed: () => void }} page
 */
export function connect({ open, files, saved, select, themed }) {
  by("kind", "select").append(h("option", { value: "" }, "Auto"), ...Object.entries(KINDS).map(([value, name]) => h("option", { value }, name)));

  menu("examples", async () => (await examples()).map(({ title, about, files }) =>
    ({ title, about, run: () => open(files) })));

  menu("export", async () => [
    ...FORMATS.map(([format, title, name, type, about]) => ({
      title: `Findings as ${title}`,
      about,
      run: async () => save(name, type, await ask("render", files(), format, select().length > 0 ? { select: select() } : {})),
    })),
    { title: "Files as they are now", about: count(files().length, "file"), run: () => saved().forEach(({ name, text }) => save(name, "text/plain", text)) },
    { title: "Print", about: "Findings as a list to go through", run: () => print() },
  ]);

  by("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = isDark ? "light" : "dark";
    themed();
  });
}

/**
 * @param {string} id
 * @param {() => Promise<{ title: string, about: string, run: () => unknown }[]>} entries
 */
function menu(id, entries) {
  const button = by(id, "button");
  const list = by(`${id}-menu`);
  const shut = (/** @type {boolean} */ focus) => {
    list.hidden = true;
    button.setAttribute("aria-expanded", "false");
    if (focus) button.focus();
  };
  button.addEventListener("click", async () => {
    if (!list.hidden) {
      shut(false);
      return;
    }
    list.replaceChildren(...(await entries()).map(({ title, about, run }) => h("button", {
      type: "button",
      click: () => {
        shut(true);
        return run();
      },
    }, title, h("small", null, about))));
    list.hidden = false;
    button.setAttribute("aria-expanded", "true");
  });
  const parent = /** @type {HTMLElement} */ (button.parentElement);
  parent.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    const all = [...list.querySelectorAll("button")];
    const at = all.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (event.key === "Escape") shut(true);
    else if (to !== undefined) all[(to + all.length) % all.length]?.focus();
    else return;
    event.preventDefault();
  });
  addEventListener("pointerdown", (event) => {
    if (!list.hidden && !parent.contains(/** @type {Node} */ (event.target))) shut(false);
  });
  parent.addEventListener("focusout", (event) => {
    if (!list.hidden && event.relatedTarget && !parent.contains(/** @type {Node} */ (event.relatedTarget))) shut(false);
  });
}

/** @param {string} name @param {string} type @param {string} text */
export function save(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
