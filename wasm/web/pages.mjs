// The pages of rules: documentation in, HTML out. They are plain pages, which need the
// script for the search alone.

import { deflateRawSync } from "node:zlib";

import { escape, parse, toHtml } from "./src/markdown.js";

/** @typedef {import("@backstop-db/lint").Rule} Rule */
/** @typedef {import("@backstop-db/lint").Explanation} Explanation */

/** What each group is about. @type {Record<string, string>} */
const GROUPS = {
  retention: "Retention", encryption: "Encryption", secrets: "Secrets", schedule: "Schedule", workflow: "Workflows",
  dump: "Dumps", restore: "Restores", storage: "Storage", monitoring: "Monitoring", migration: "Migrations",
  docs: "Documents", policy: "backstop.yml", suppression: "Suppression",
};

/**
 * @param {string} title @param {string} description @param {string} up The way to the root.
 * @param {string} body @param {string} [head]
 */
function page(title, description, up, body, head = "") {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; manifest-src 'self'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<meta name="description" content="${escape(description)}">
<title>${escape(title)}</title>
<link rel="icon" href="${up}icon.svg" type="image/svg+xml">
<link rel="manifest" href="${up}manifest.webmanifest">
<link rel="stylesheet" href="${up}%STYLE%">
${head}</head>
<body>
<a class="skip" href="#content">Skip to the text</a>
<header class="top"><p class="brand"><a href="${up}"><svg class="logo" viewBox="0 0 32 32" aria-hidden="true"><rect x="3" y="3" width="26" height="26" rx="8" fill="var(--accent)"/><path d="M10 9v14M22 11l-7 5 7 5" fill="none" stroke="var(--on-accent)" stroke-width="3" stroke-linecap="round" stroke-linejoin="round"/></svg><span>backstop <b>lint</b></span></a></p>
<nav class="actions" aria-label="Page"><a class="button quiet" href="${up}">Linter</a><a class="button quiet" href="${up}rules/">Rules</a></nav></header>
<main class="page" id="content">
${body}
</main>
</body>
</html>
`;
}

/** @type {Record<string, string>} */
const ICONS = {
  error: '<circle cx="8" cy="8" r="7" fill="currentColor"/><path d="M5.5 5.5l5 5m0-5l-5 5" stroke="var(--surface)" stroke-width="1.6" stroke-linecap="round"/>',
  warning: '<path d="M8 1.2 15.4 14.4H.6z" fill="currentColor" stroke="currentColor" stroke-linejoin="round"/><path d="M8 6v4m0 2v.1" stroke="var(--surface)" stroke-width="1.7" stroke-linecap="round"/>',
  note: '<circle cx="8" cy="8" r="6.2" fill="none" stroke="currentColor" stroke-width="1.6"/><path d="M8 7.4v3.8M8 4.8v.1" stroke="currentColor" stroke-width="1.7" stroke-linecap="round"/>',
};

/** @param {string} severity @param {boolean} told Whether its name stands beside it. */
function icon(severity, told) {
  const label = told ? 'aria-hidden="true"' : `role="img" aria-label="${severity}"`;
  return `<svg class="icon icon-${severity}" viewBox="0 0 16 16" ${label}>${ICONS[severity]}</svg>`;
}

/** @param {string} text Markdown of one paragraph. */
const inline = (text) => toHtml(/** @type {any} */ (parse(text)[0])?.children ?? []);

/** @param {Rule[]} rules */
export function rulesPage(rules) {
  const groups = Object.entries(GROUPS).map(([group, title]) => {
    const own = rules.filter((rule) => rule.group === group).map((rule) =>
      `<li data-rule data-group="${group}" data-severity="${rule.severity}"><a href="${rule.id}/">${icon(rule.severity, false)}<code>${rule.id}</code><span>${inline(rule.summary)}</span></a></li>`);
    return own.length > 0 ? `<section data-rules><h2>${title}</h2><ul>${own.join("\n")}</ul></section>` : "";
  });
  return page("Rules of backstop lint", `${rules.length} things that go wrong with PostgreSQL backups, and what to write instead.`, "../", `<h1>Rules</h1>
<p class="lead">${rules.length} things that go wrong with backups, why, and what to write instead.</p>
<div class="search" role="search"><input type="text" id="search" placeholder="Search: pipefail, retention, supabase" aria-label="Search the rules" autocomplete="off" spellcheck="false">
<select id="severity" aria-label="Severity"><option value="">Every severity</option><option value="error">Errors</option><option value="warning">Warnings</option><option value="note">Notes</option></select></div>
<p class="hint" id="shown" role="status">${rules.length} rules</p>
<div class="index">${groups.join("\n")}</div>`, '<script type="module" src="../%RULES%"></script>\n');
}

/** @param {{ path: string, text: string }[]} files @param {string} id */
function attempt(files, id) {
  const json = JSON.stringify({ files, select: [id] });
  return `../../#v1.${deflateRawSync(json, { level: 9 }).toString("base64url")}`;
}

/** @param {Explanation} rule */
export function rulePage(rule) {
  const fix = { no: "", sometimes: '<span class="tag">can sometimes be fixed</span>', always: '<span class="tag">can be fixed</span>' }[rule.fix];
  const sections = rule.sections.map(({ heading, body }) => {
    const groups = heading === "Bad" ? rule.bad : heading === "Good" ? rule.good : [];
    const tries = groups.map((files, index) =>
      `<a class="button small" href="${attempt(files, rule.id)}">Try ${groups.length > 1 ? `example ${index + 1}` : "it"}</a>`);
    return `<h2>${escape(heading)}</h2>\n${toHtml(parse(body))}${tries.length > 0 ? `<p class="tags">${tries.join("")}</p>` : ""}`;
  });
  return page(`${rule.id}: backstop lint`, rule.summary, "../../", `<p class="crumbs"><a href="../">Rules</a> / ${GROUPS[rule.group] ?? rule.group}</p>
<h1>${rule.id}</h1>
<p class="lead">${inline(rule.summary)}</p>
<p class="tags"><span class="tag ${rule.severity}">${icon(rule.severity, true)}${rule.severity}</span><span class="tag">${rule.group}</span>${fix}</p>
<div class="docs">
${sections.join("\n")}
<h2>Where it is wrong</h2>
<p>Allow it where it is, with the reason, in the comment syntax of the file: <code>backstop: allow ${rule.id} -- the reason</code>. For whole paths, <code>lint: per_path_ignores</code> in <code>backstop.yml</code>.</p>
</div>`);
}
