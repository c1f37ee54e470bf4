// How the page looks and reads: axe-core finds nothing, nothing runs out of the window,
// and pictures of it lie in target/wasm/screens, to be looked at.

import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { paste, settled, start } from "./browser.mjs";

const screens = fileURLToPath(new URL("../../target/wasm/screens/", import.meta.url));
const examples = fileURLToPath(new URL("../web/src/examples/", import.meta.url));
const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** @type {Awaited<ReturnType<typeof start>>} */
let chromium;

before(async () => {
  chromium = await start();
  await mkdir(screens, { recursive: true });
});
after(() => chromium.stop());

const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };

/** @type {Record<string, import("playwright-core").BrowserContextOptions>} */
const LOOKS = {
  light: { colorScheme: "light" },
  dark: { colorScheme: "dark" },
  phone: { ...PHONE, colorScheme: "light" },
  "phone-dark": { ...PHONE, colorScheme: "dark" },
};

/** @param {import("playwright-core").Page} page @param {string} name @param {{ full?: boolean, wide?: boolean }} [how] */
async function look(page, name, { full = false } = {}) {
  await page.waitForTimeout(150);
  await page.screenshot({ path: `${screens}${name}.png`, fullPage: full });
  // The page's policy lets no script in, so it comes through the debugger.
  if (!(await page.evaluate("typeof axe === 'object'"))) await page.evaluate(await readFile(axe, "utf8"));
  const violations = await page.evaluate(async () => {
    // @ts-ignore
    const { violations } = await window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] });
    return violations.map((/** @type {any} */ one) => `${one.id}: ${one.nodes.map((/** @type {any} */ node) => `${node.target} ${node.failureSummary}`).slice(0, 3).join(" | ")}`);
  });
  assert.deepEqual(violations, [], name);
  const overflow = await page.evaluate(() => {
    const wide = document.documentElement.clientWidth;
    const isCut = (/** @type {Element} */ element) => {
      for (let at = element.parentElement; at; at = at.parentElement) if (getComputedStyle(at).overflowX !== "visible") return true;
      return false;
    };
    return [...document.querySelectorAll("body *")]
      .filter((element) => element.getBoundingClientRect().width > 0 && !element.matches(".skip") && !isCut(element))
      .filter((element) => element.getBoundingClientRect().right > wide + 1)
      .map((element) => `${element.tagName}.${element.getAttribute("class")}`);
  });
  assert.deepEqual(overflow, [], `${name}: nothing runs out of the window`);
}

/** A strategy as people write them: prose, and everything that belongs to it in fences. */
async function strategy() {
  const list = JSON.parse(await readFile(`${examples}list.json`, "utf8"));
  let text = "";
  for (const { folder, title, files } of list) {
    text += `## ${title}\n\n`;
    for (const path of files) {
      const content = await readFile(`${examples}${folder}/${path}`, "utf8");
      const language = /** @type {Record<string, string>} */ ({ yml: "yaml", yaml: "yaml", sh: "bash", json: "json", sql: "sql", ts: "ts", service: "ini", timer: "ini", env: "env", crontab: "cron" })[path.split(/[./]/).pop() ?? ""];
      text += language ? `\`\`\`${language}\n${content}\`\`\`\n\n` : content;
    }
  }
  return text;
}

for (const [look_, options] of Object.entries(LOOKS)) {
  test(`in ${look_}`, async () => {
    const { page, context, complaints } = await chromium.page(options);
    await page.goto(chromium.url);
    await settled(page);
    await page.waitForSelector(".tries button");
    await look(page, `${look_}-empty`);
    await page.click("#examples");
    await page.waitForSelector("#examples-menu button");
    await look(page, `${look_}-menu`);
    await page.click("#examples-menu button:has-text('Strategy document')");
    await settled(page, /error/);
    await look(page, `${look_}-joined`);
    await page.click("#share");
    await page.waitForSelector("dialog[open]");
    await look(page, `${look_}-share`);
    await page.keyboard.press("Escape");
    await page.click("#privacy");
    await look(page, `${look_}-privacy`);
    await page.keyboard.press("Escape");
    await page.click(".card .rule >> nth=0");
    await page.waitForSelector("dialog[open] .docs");
    await look(page, `${look_}-rule`);
    await page.keyboard.press("Escape");
    await page.click(".card button:has-text('Why it matters') >> nth=0");
    await page.waitForSelector(".why");
    await page.click(".card button:has-text('Allow here') >> nth=1");
    await look(page, `${look_}-open`, { full: look_.startsWith("phone") });

    await paste(page, await strategy());
    await page.waitForFunction(() => document.querySelectorAll(".card").length >= 40);
    await look(page, `${look_}-strategy`);
    await page.fill("#path", "backup.sh");
    const long = `#!/bin/bash\n# ${"Datenbanksicherungswiederherstellungsprüfungsprotokoll".repeat(4)}\npg_dump "${"x".repeat(300)}" | gzip > /var/backups/${"Sicherungsverzeichnis/".repeat(12)}a.gz\n`;
    await paste(page, long);
    await settled(page, /error/);
    await look(page, `${look_}-long`);
    await paste(page, `#!/bin/bash\n${"pg_dump shop | gzip > a.gz\n".repeat(1000)}`);
    await page.waitForSelector(".more");
    await look(page, `${look_}-thousand`);
    await page.reload();
    await settled(page);
    await paste(page, "# nothing\nls\n");
    await settled(page, /No findings/);
    await look(page, `${look_}-clean`);

    await page.goto(`${chromium.url}rules/`);
    await look(page, `${look_}-rules`);
    await page.goto(`${chromium.url}rules/pipefail-missing/`);
    await look(page, `${look_}-rule-page`, { full: true });
    assert.deepEqual(complaints, []);
    await context.close();
  });
}

test("everything can be reached and left by the keyboard", async () => {
  const { page, context } = await chromium.page();
  await page.goto(chromium.url);
  await settled(page);
  await paste(page, "#!/bin/bash\npg_dump shop | gzip > a.gz\n");
  await settled(page, /error/);
  await page.evaluate(() => /** @type {HTMLElement | null} */ (document.activeElement)?.blur());
  const seen = new Set();
  for (let step = 0; step < 60; step++) {
    await page.keyboard.press("Tab");
    seen.add(await page.evaluate(() => {
      const element = document.activeElement;
      return element?.id || element?.getAttribute("class")?.split(" ")[0] || element?.tagName;
    }));
  }
  for (const stop of ["skip", "privacy", "examples", "export", "share", "theme", "tab", "add", "open", "path", "kind", "cm-content", "what", "rule", "remember"]) {
    const isThere = stop === "tab" ? [...seen].some((one) => one === "BUTTON") : seen.has(stop);
    assert.ok(isThere, `${stop} is not among ${[...seen].join(" ")}`);
  }
  await page.click("#examples");
  await page.waitForSelector("#examples-menu button");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelector(".tab")?.textContent === "backup.yml");
  assert.equal(await page.evaluate(() => document.activeElement?.id), "examples");
  await context.close();
});

test("on paper there are the findings", async () => {
  const { page, context } = await chromium.page({ colorScheme: "dark" });
  await page.goto(chromium.url);
  await settled(page);
  await paste(page, "#!/bin/bash\npg_dump shop | gzip > a.gz\n");
  await settled(page, /error/);
  await page.emulateMedia({ media: "print" });
  assert.ok(await page.isVisible(".card >> nth=0"));
  assert.ok(await page.isHidden(".cm-editor"));
  assert.ok(await page.isHidden("#share"));
  await page.screenshot({ path: `${screens}print.png`, fullPage: true });
  await context.close();
});
