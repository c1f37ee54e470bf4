// The page as a person uses it, in Chromium: what it shows, keeps, copies and asks for.

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import { inflateRawSync } from "node:zlib";

import { load, render, rules } from "../../target/wasm/package/index.js";
import { cards, paste, settled, start } from "./browser.mjs";

const SCRIPT = "#!/bin/bash\npg_dump shop | gzip > a.gz\n";
/** Made up, and in pieces, so that no scanner takes it for a leak. */
const SECRET = ["Vq8s2m", "Kx71"].join("");
const examples = fileURLToPath(new URL("../web/src/examples/", import.meta.url));

/** @type {Awaited<ReturnType<typeof start>>} */
let chromium;
/** @type {Awaited<ReturnType<(typeof chromium)["page"]>>} */
let tab;
/** @type {import("playwright-core").Page} */
let page;
/** Complaints that a test expects. @type {RegExp | undefined} */
let expected;

before(async () => {
  chromium = await start();
  await load();
});
after(() => chromium.stop());
beforeEach(async () => {
  tab = await chromium.page();
  page = tab.page;
  expected = undefined;
});
afterEach(async () => {
  await tab.context.close();
  assert.deepEqual(tab.complaints.filter((complaint) => !expected?.test(complaint)), []);
  const strange = tab.requests.filter((url) => !url.startsWith(chromium.url) && !url.startsWith(`blob:${new URL(chromium.url).origin}`));
  assert.deepEqual(strange, [], "only its own address is asked");
});

/** A page whose files come from the server, where a test can hold them back. */
async function uncached() {
  await tab.context.close();
  tab = await chromium.page({ serviceWorkers: "block" });
  page = tab.page;
}

async function open(fragment = "") {
  await page.goto(chromium.url + fragment);
  await settled(page);
}

const text = () => page.$$eval(".cm-line", (lines) => lines.map((line) => line.textContent).join("\n"));
const status = () => page.textContent("#status");
const names = () => page.$$eval(".tab > button:first-child", (tabs) => tabs.map((tab) => tab.getAttribute("title")));

/** @param {string} folder @param {string[]} files */
const example = (folder, files) => Promise.all(files.map(async (path) => ({ path, text: await readFile(`${examples}${folder}/${path}`, "utf8") })));

/** Drops files as a person does. @param {{ path: string, text: string }[]} files */
async function drop(files) {
  await page.evaluate((files) => {
    const data = new DataTransfer();
    for (const { path, text } of files) data.items.add(new File([text], path));
    for (const type of ["dragenter", "dragover", "drop"]) {
      document.body.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
    }
  }, files);
}

/** What `Save` gives. @param {string} entry */
async function saved(entry) {
  await page.click("#export");
  const [download] = await Promise.all([page.waitForEvent("download"), page.click(`#export-menu button:has-text("${entry}")`)]);
  return { name: download.suggestedFilename(), text: await readFile(await download.path(), "utf8") };
}

test("a cold load of a link shows its findings; how soon is printed", async (t) => {
  const times = [];
  for (let round = 0; round < 3; round++) {
    const other = await chromium.page();
    await other.page.goto(`${chromium.url}${await linkTo([{ path: "b.sh", text: SCRIPT }])}`);
    await other.page.waitForSelector(".card:has-text('pipefail-missing')");
    times.push(await other.page.evaluate(() => performance.now()));
    await other.context.close();
  }
  times.sort((a, b) => a - b);
  t.diagnostic(`first finding, cold: ${times.map((time) => time.toFixed(0)).join(", ")} ms`);
  await open();
  assert.match(await status() ?? "", /Nothing to check yet/);
});

/** @param {{ path: string, text: string, kind?: string }[]} files @param {string[]} [select] */
async function linkTo(files, select = []) {
  const { deflateRawSync } = await import("node:zlib");
  return `#v1.${deflateRawSync(JSON.stringify({ files, ...(select.length > 0 ? { select } : {}) })).toString("base64url")}`;
}

test("each kind is told by its text when it is pasted", async () => {
  await open();
  const kinds = [
    ["GitHub workflow", "workflow", ".github/workflows/backup.yml"], ["Shell script", "script", "scripts/backup.sh"],
    ["Crontab", "crontab", "crontab"], ["systemd unit", "systemd", "etc/shop-backup.service"],
    ["Compose file", "compose", "docker-compose.yml"], ["Kubernetes", "kubernetes", "k8s/backup.yaml"],
    ["Bucket lifecycle", "lifecycle", "lifecycle.json"], ["Bucket policy", "policy", "bucket-policy.json"],
    [".env file", "env", ".env"], ["backstop.yml", "config", "backstop.yml"], ["Document", "document", "docs/BACKUP.md"],
    ["SQL", "sql", "db/roles.sql"], ["TypeScript", "typescript", "src/backup.ts"],
  ];
  for (const [kind, folder, path] of kinds) {
    const [file] = await example(folder, [path]);
    await paste(page, file.text);
    await page.waitForFunction((kind) => document.querySelector("#kind option")?.textContent === `Auto: ${kind}`, kind, { timeout: 5000 })
      .catch(async () => assert.fail(`${path}: ${await page.textContent("#kind option")}`));
    const found = JSON.parse(render([{ path: "untitled", text: file.text }], "json")).findings;
    await page.waitForFunction((count) => document.querySelectorAll(".card").length === count, found.length, { timeout: 5000 })
      .catch(async () => assert.fail(`${path}: ${(await cards(page)).length} cards for ${found.length} findings`));
  }
});

test("a kind can be chosen", async () => {
  await open();
  await paste(page, "pg_dump shop | gzip > a.gz\nls\n");
  await page.selectOption("#kind", "sql");
  await settled(page, /No findings/);
  await page.selectOption("#kind", "shell");
  await settled(page, /error/);
});

test("findings follow what is typed", async () => {
  await open();
  await paste(page, SCRIPT);
  await settled(page, /error/);
  assert.ok((await cards(page)).includes("pipefail-missing line 2, column 1"));
  assert.ok(await page.isVisible(".range-error"));
  assert.ok(await page.isVisible(".cm-marks .cm-gutterElement:not([style*=hidden]) .mark-error"));
  await page.click(".cm-line >> nth=0");
  await page.keyboard.press("End");
  await page.keyboard.type("\nset -euo pipefail");
  await page.waitForFunction(() => ![...document.querySelectorAll(".rule")].some((rule) => rule.textContent === "pipefail-missing"));
});

test("a click leads to the place, F8 to the next one", async () => {
  await open();
  await paste(page, "#!/bin/bash\nls\npg_dump shop | gzip > a.gz\n");
  await page.click(".card:has-text('pipefail-missing') .what");
  assert.equal(await page.evaluate(() => document.getSelection()?.toString()), "pg_dump");
  assert.equal(await page.getAttribute(".card:has-text('pipefail-missing')", "aria-current"), "true");
  await page.click(".cm-line >> nth=0");
  await page.keyboard.press("F8");
  assert.equal(await page.evaluate(() => document.getSelection()?.toString()), "pg_dump");
  await page.keyboard.press("Shift+F8");
  await page.waitForSelector(".card[aria-current]");
});

test("a fix is applied, and one undo takes it back", async () => {
  await open();
  await paste(page, SCRIPT);
  await page.click(".card:has-text('pipefail-missing') button:has-text('Fix')");
  await page.waitForFunction(() => document.querySelector(".cm-content")?.textContent?.includes("pipefail"));
  await page.waitForFunction(() => ![...document.querySelectorAll(".rule")].some((rule) => rule.textContent === "pipefail-missing"));
  await page.click("#toast button");
  await page.waitForFunction(() => !document.querySelector(".cm-content")?.textContent?.includes("pipefail"));
  assert.equal(await text(), SCRIPT);
  await settled(page, /1 error/);
});

test("what is undone is what was done, whichever file is shown", async () => {
  const files = ["one.sh", "two.sh", "three.sh"].map((path) => ({ path, text: SCRIPT }));
  // Opened before the editor has its history.
  await open(await linkTo(files));
  const show = (/** @type {string} */ path) => page.click(`.tab > button[title='${path}']`);
  const held = async () => {
    const texts = [];
    for (const { path } of files) {
      await show(path);
      texts.push(await text());
    }
    return texts;
  };
  const whole = files.map((file) => file.text);
  await page.click(".card:has-text('pipefail-missing'):has-text('two.sh:') button:has-text('Fix')");
  await show("three.sh");
  await page.click("#toast button");
  assert.deepEqual(await held(), whole);
  await page.waitForFunction(() => document.querySelectorAll(".card .rule").length >= 3);
  await page.click(".card:has-text('pipefail-missing'):has-text('two.sh:') button:has-text('Allow here')");
  await page.keyboard.type("a test");
  await page.keyboard.press("Enter");
  await settled(page, /1 allowed/);
  await page.click("#toast button");
  assert.deepEqual(await held(), whole);
  await page.waitForFunction(() => !document.getElementById("status")?.textContent?.includes("allowed"));
  await page.click("#filters button:has-text('safely')");
  await page.waitForFunction(() => document.querySelector(".cm-content")?.textContent?.includes("pipefail"));
  await page.click("#toast button");
  assert.deepEqual(await held(), whole);
});

test("the keyboard stays among the tabs while they are shown and closed", async () => {
  await open(await linkTo(["a.sh", "b.sh", "c.sh"].map((path) => ({ path, text: SCRIPT }))));
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute("title") ?? document.activeElement?.getAttribute("aria-label"));
  await page.focus(".tab > button[title='b.sh']");
  await page.keyboard.press("Enter");
  assert.equal(await page.getAttribute(".tab.active > button:first-child", "title"), "b.sh");
  assert.equal(await focused(), "b.sh");
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "Close b.sh");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelectorAll(".tab").length === 2);
  assert.equal(await focused(), "c.sh");
});

test("Ctrl-Enter changes nothing", async () => {
  await open();
  await paste(page, SCRIPT);
  await settled(page, /error/);
  await page.keyboard.press("Control+Enter");
  assert.equal(await text(), SCRIPT);
});

test("colours come although somebody types meanwhile", async () => {
  expected = /Service Worker registration blocked/;
  await uncached();
  await page.route(/languages-\w+\.js$/, async (route) => {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await route.continue();
  });
  await open();
  await page.click(".cm-content");
  await page.selectOption("#kind", "sql");
  await page.click(".cm-content");
  for (let times = 0; times < 15; times++) {
    await page.keyboard.type("SELECT 1; ");
    await page.waitForTimeout(100);
  }
  await page.waitForSelector(".cm-line span[class]");
});

test("what does not work is said", async () => {
  expected = /ERR_FAILED|cannot be loaded|changed meanwhile|Service Worker registration blocked/;
  await uncached();
  await page.route(/examples-\w+\.js$/, (route) => route.abort());
  await open();
  await page.waitForFunction(() => document.getElementById("toast")?.textContent?.includes("a part of this page cannot be loaded"));
  await paste(page, SCRIPT);
  await settled(page, /error/);
  // The text changes between the click and the answer.
  await page.click(".card:has-text('pipefail-missing') button:has-text('Allow here')");
  await page.keyboard.type("a test");
  await page.evaluate(() => {
    document.querySelector(".card form")?.dispatchEvent(new SubmitEvent("submit", { cancelable: true }));
    const data = new DataTransfer();
    data.setData("text/plain", "ls\n");
    document.querySelector(".cm-content")?.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
  });
  await page.waitForFunction(() => document.getElementById("toast")?.textContent?.includes("changed meanwhile"));
});

test("a file that was closed comes back among those that were added since", async () => {
  await open(await linkTo(["a.sh", "b.sh", "c.sh"].map((path) => ({ path, text: SCRIPT }))));
  await page.click("button[aria-label='Close b.sh']");
  await page.click("#add");
  await page.click("#toast button");
  await page.waitForFunction(() => document.querySelectorAll(".tab").length === 4);
  assert.deepEqual(await names(), ["a.sh", "b.sh", "c.sh", "untitled"]);
  assert.equal(await page.getAttribute(".tab.active > button:first-child", "title"), "b.sh");
});

test("the focus stays in the list when a fix takes its card away", async () => {
  await open();
  await paste(page, SCRIPT);
  await settled(page, /error/);
  await page.focus(".card:has-text('pipefail-missing') button:has-text('Fix')");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => ![...document.querySelectorAll(".rule")].some((rule) => rule.textContent === "pipefail-missing"));
  assert.equal(await page.evaluate(() => document.activeElement?.getAttribute("class")), "what");
});

test("an allowance is inserted with its reason", async () => {
  await open();
  await paste(page, SCRIPT);
  const card = ".card:has-text('pipefail-missing')";
  await page.click(`${card} button:has-text('Allow here')`);
  await page.keyboard.type("the next step reads it");
  await page.keyboard.press("Enter");
  await settled(page, /1 allowed/);
  assert.match(await text(), /^# backstop: allow pipefail-missing -- the next step reads it$/m);
});

test("why a finding matters is told where it stands", async () => {
  await open();
  await paste(page, SCRIPT);
  const card = ".card:has-text('pipefail-missing')";
  await page.click(`${card} button:has-text('Why it matters')`);
  await page.waitForSelector(`${card} .why`);
  assert.match(await page.textContent(`${card} .why`) ?? "", /archive of nothing/);
  await page.click(`${card} .rule`);
  await page.waitForSelector("dialog[open] .docs pre");
  await page.click("dialog button:has-text('Try the bad example')");
  await settled(page, /1 error/);
  assert.match(await page.textContent("#filters") ?? "", /Only pipefail-missing/);
  await page.click(".chip.only");
  await page.waitForFunction(() => document.querySelectorAll(".card").length > 1);
});

test("files are joined: dropped, shown as tabs, closed and brought back", async () => {
  await open();
  const files = await example("document", ["docs/BACKUP.md", "scripts/backup.sh", "infra/lifecycle.json"]);
  const flat = files.map(({ path, text }) => ({ path: path.replace(/^.*\//, ""), text }));
  await drop(flat);
  await settled(page, /error/);
  assert.deepEqual(await names(), ["BACKUP.md", "backup.sh", "lifecycle.json"]);
  const wanted = JSON.parse(render(flat, "json")).findings;
  assert.equal((await cards(page)).length, wanted.length);
  await page.click(".card:has(.where span:has-text('backup.sh:')) .what >> nth=0");
  assert.equal(await page.getAttribute(".tab.active > button:first-child", "title"), "backup.sh");
  await page.click("button[aria-label='Close backup.sh']");
  await page.waitForFunction(() => document.querySelectorAll(".tab").length === 2);
  await page.click("#toast button");
  await page.waitForFunction(() => document.querySelectorAll(".tab").length === 3);
  await page.click("#add");
  await page.fill("#path", "backup.sh");
  await page.keyboard.press("Enter");
  assert.deepEqual((await names()).slice(-1), ["backup-2.sh"], "each file has a name of its own");
});

test("what is no text or too large is refused", async () => {
  await open();
  await drop([{ path: "dump.bin", text: "PGDMP\0\0" }]);
  assert.match(await page.textContent("#toast") ?? "", /dump\.bin is no text/);
  await drop([{ path: "a.sql", text: "-- a\n".repeat(250_000) }]);
  assert.match(await page.textContent("#toast") ?? "", /a\.sql is too large/);
  await paste(page, "# some words\n".repeat(100_000));
  await page.waitForSelector("#banner:not([hidden])");
  assert.match(await page.textContent("#banner") ?? "", /1,300,000 characters/);
  await paste(page, SCRIPT);
  await settled(page, /error/);
  assert.ok(await page.isHidden("#banner"));
});

test("what cannot be read does not keep the others away", async () => {
  await open();
  await page.evaluate((text) => {
    const data = new DataTransfer();
    data.items.add(new File([""], "folder"));
    data.items.add(new File([text], "b.sh"));
    const { text: read } = File.prototype;
    File.prototype.text = function () {
      // As Chromium does it for a folder.
      return this.name === "folder" ? Promise.reject(new DOMException("no file", "NotFoundError")) : read.call(this);
    };
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
  }, SCRIPT);
  await settled(page, /error/);
  assert.deepEqual(await names(), ["b.sh"]);
  assert.match(await page.textContent("#toast") ?? "", /folder is a folder, or cannot be read/);
});

test("a link holds the files, and secrets only where that is wanted", async () => {
  await open();
  const secret = `DATABASE_URL=postgresql://shop:${SECRET}@db.shop-internal.net/shop\n`;
  await drop([{ path: ".env", text: secret }, { path: "b.sh", text: SCRIPT }]);
  await settled(page, /error/);
  assert.equal(new URL(page.url()).hash, "", "nothing of it is in the address");
  await page.click("#share");
  const dialog = page.locator("dialog[open]");
  await dialog.waitFor();
  assert.match(await dialog.textContent() ?? "", /all 2 files.*Mask the line with a secret/s);
  const link = await page.inputValue("dialog input[aria-label='Link']");
  const held = (/** @type {string} */ link) => inflateRawSync(Buffer.from(link.split("#v1.")[1], "base64url")).toString();
  assert.ok(!held(link).includes(SECRET) && held(link).includes("***"));
  await page.uncheck("#mask");
  await page.waitForFunction((link) => !["", link, undefined].includes(/** @type {HTMLInputElement | null} */ (document.querySelector("dialog input[readonly]"))?.value), link);
  assert.ok(held(await page.inputValue("dialog input[aria-label='Link']")).includes(SECRET));
  await page.check("#mask");
  await page.click("dialog button:has-text('Copy')");
  await page.waitForSelector("#toast:not([hidden])");
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  const other = await chromium.page();
  await other.page.goto(copied);
  await settled(other.page, /error/);
  assert.deepEqual(await other.page.$$eval(".tab > button:first-child", (tabs) => tabs.map((tab) => tab.getAttribute("title"))), [".env", "b.sh"]);
  assert.match(await other.page.textContent(".cm-content") ?? "", /shop:\*\*\*@db/);
  await other.context.close();
});

test("a link with secrets is not copied once they are masked again", async () => {
  await open();
  await paste(page, `DATABASE_URL=postgresql://shop:${SECRET}@db.shop-internal.net/shop\n`);
  await settled(page, /error/);
  await page.click("#share");
  const address = page.locator("dialog[open] input[aria-label='Link']");
  const filled = () => page.waitForFunction(() => /** @type {HTMLInputElement | null} */ (document.querySelector("dialog input[readonly]"))?.value);
  const held = (/** @type {string} */ link) => inflateRawSync(Buffer.from(link.split("#v1.")[1], "base64url")).toString();
  await filled();
  // The link with secrets is made more slowly than the one without that is asked for next.
  await page.evaluate(async () => {
    const { stream } = Blob.prototype;
    const made = new Promise((resolve) => {
      Blob.prototype.stream = function () {
        Blob.prototype.stream = stream;
        return stream.call(this).pipeThrough(new TransformStream({
          transform: async (part, to) => {
            await new Promise((resolve) => setTimeout(resolve, 200));
            to.enqueue(part);
          },
          flush: () => { setTimeout(resolve, 100); },
        }));
      };
    });
    const mask = /** @type {HTMLInputElement} */ (document.querySelector("#mask"));
    mask.click();
    mask.click();
    await made;
  });
  assert.ok(!held(await address.inputValue()).includes(SECRET));
  await page.uncheck("#mask");
  await filled();
  assert.ok(held(await address.inputValue()).includes(SECRET));
  // Copied in the moment in which it is masked.
  await page.evaluate(() => {
    /** @type {HTMLInputElement} */ (document.querySelector("#mask")).click();
    /** @type {HTMLButtonElement} */ (document.querySelector("dialog .primary")).click();
  });
  await page.waitForSelector("#toast:not([hidden])");
  assert.ok(!held(await page.evaluate(() => navigator.clipboard.readText())).includes(SECRET));
});

test("a link of the first version opens for ever", async () => {
  // As it was made when there was a first version. It is never made anew.
  const first = await readFile(new URL("link-v1.txt", import.meta.url), "utf8");
  await open(first.trim());
  assert.deepEqual(await names(), ["scripts/backup.sh", "notes"]);
  assert.equal(await text(), "#!/bin/bash\n# Größe \u{1f512}\npg_dump shop | gzip > a.gz\n");
  assert.deepEqual(await cards(page), ["pipefail-missing scripts/backup.sh:3:1"]);
});

test("a link that is damaged or newer says so, and the page works", async () => {
  expected = /decompress|inflate/i;
  for (const [fragment, said] of [["#v1.AAAA", "damaged"], ["#v9.AAAA", "newer version"], [await linkTo(/** @type {any} */ ([{ path: 1 }])), "holds no files"]]) {
    await page.goto("about:blank");
    await open(fragment);
    await page.waitForSelector(`#toast:not([hidden]):has-text("${said}")`);
    await paste(page, SCRIPT);
    await settled(page, /error/);
  }
});

test("a link that asks for a rule of another version shows the rules that there are", async () => {
  await open(await linkTo([{ path: "b.sh", text: SCRIPT }], ["no-such-rule", "pipefail-missing"]));
  await settled(page, /1 error/);
  assert.match(await page.textContent("#toast") ?? "", /no no-such-rule/);
  assert.match(await page.textContent("#filters") ?? "", /^Only pipefail-missing$/);
  // Where nothing can be checked there is a way back as well.
  await paste(page, "# some words\n".repeat(100_000));
  await page.waitForSelector("#banner:not([hidden])");
  await page.click(".chip.only");
  await page.waitForFunction(() => document.querySelector(".chip.only") === null);
});

test("findings are saved as JSON, SARIF and Markdown", async () => {
  const files = await example("workflow", [".github/workflows/backup.yml"]);
  await open(await linkTo(files));
  const json = await saved("Findings as JSON");
  assert.equal(json.name, "findings.json");
  assert.equal(json.text, render(files, "json"));
  const sarif = await saved("Findings as SARIF");
  assert.equal(sarif.text, render(files, "sarif"));
  const run = JSON.parse(sarif.text).runs[0];
  assert.equal(run.tool.driver.name, "backstop");
  assert.equal(run.results.length, JSON.parse(json.text).findings.length);
  const markdown = await saved("Findings as Markdown");
  assert.match(markdown.text, /\| severity \| rule \|/);
});

test("files are saved as they came, each by a name of its own", async () => {
  await open(await linkTo([{ path: "a/backup.sh", text: SCRIPT }, { path: "b/backup.sh", text: "ls\n" }]));
  await drop([{ path: "c.sh", text: "ls\r\npwd\r\n" }]);
  await page.waitForFunction(() => document.querySelectorAll(".tab").length === 3);
  /** @type {import("playwright-core").Download[]} */
  const downloads = [];
  page.on("download", (download) => downloads.push(download));
  await page.click("#export");
  await page.click("#export-menu button:has-text('Files as they are now')");
  while (downloads.length < 3) await page.waitForEvent("download");
  const files = await Promise.all(downloads.map(async (download) => [download.suggestedFilename(), await readFile(await download.path(), "utf8")]));
  assert.deepEqual(files.sort(), [["a-backup.sh", SCRIPT], ["b-backup.sh", "ls\n"], ["c.sh", "ls\r\npwd\r\n"]]);
});

test("it works without a network after the first load, and asks for nothing", async () => {
  await open();
  await page.evaluate(async () => {
    await navigator.serviceWorker.ready;
    while (!navigator.serviceWorker.controller) await new Promise((resolve) => setTimeout(resolve, 20));
  });
  await tab.context.setOffline(true);
  await page.reload();
  await settled(page);
  const before = tab.requests.length;
  await paste(page, SCRIPT);
  await settled(page, /error/);
  await page.click(".card .rule >> nth=0");
  await page.waitForSelector("dialog[open] .docs");
  // What colours a language comes from the cache of this page.
  const asked = tab.requests.slice(before).filter((url) => !/\/assets\/[\w-]+\.js$/.test(url));
  assert.deepEqual(asked, []);
  await page.goto(`${chromium.url}rules/`);
  assert.equal(await page.textContent("#shown"), `${rules().length} rules`);
});

test("a page that is open outlives one new version, and no page is an old one", async () => {
  await page.goto(`${chromium.url}rules/`);
  await page.evaluate(async (site) => {
    for (const name of ["backstop-first", "backstop-second"]) {
      const cache = await caches.open(name);
      await cache.put(`${site}assets/later-${name}.js`, new Response(name));
      await cache.put(site, new Response(name));
    }
  }, chromium.url);
  await open();
  await page.evaluate(async () => {
    await navigator.serviceWorker.ready;
    while (!navigator.serviceWorker.controller) await new Promise((resolve) => setTimeout(resolve, 20));
  });
  const asked = (/** @type {string} */ name) => page.evaluate((url) => fetch(url).then((answer) => answer.ok ? answer.text() : ""), `${chromium.url}assets/later-${name}.js`);
  assert.equal(await asked("backstop-second"), "backstop-second");
  expected = /404/;
  assert.equal(await asked("backstop-first"), "");
  await tab.context.setOffline(true);
  await page.reload();
  await settled(page, /Nothing to check/);
});

test("nothing is stored unless that is asked for", async () => {
  await open();
  await paste(page, SCRIPT);
  await settled(page, /error/);
  assert.equal(await page.evaluate(() => localStorage.length), 0);
  await page.reload();
  await settled(page, /Nothing to check/);
  await paste(page, SCRIPT);
  await settled(page, /error/);
  await page.check("#remember");
  await page.reload();
  await settled(page, /error/);
  assert.equal(await text(), SCRIPT);
  await page.uncheck("#remember");
  assert.equal(await page.evaluate(() => localStorage.length), 0);
});

test("what is only looked at does not take the place of what is remembered", async () => {
  await open();
  await paste(page, SCRIPT);
  await settled(page, /error/);
  await page.check("#remember");
  await page.goto(chromium.url + await linkTo([{ path: "b.sql", text: "SELECT 1;\n" }]));
  await settled(page, /No findings/);
  assert.equal(new URL(page.url()).hash, "");
  await page.reload();
  await settled(page, /error/);
  assert.equal(await text(), SCRIPT);
  await page.evaluate((hash) => { location.hash = hash; }, await linkTo([{ path: "b.sql", text: "SELECT 1;\n" }]));
  await settled(page, /No findings/);
  await page.click(".cm-content");
  await page.keyboard.type("-- edited\n");
  await page.waitForFunction(() => localStorage.getItem("backstop-files")?.includes("edited"));
  await page.reload();
  await settled(page, /No findings/);
  assert.deepEqual(await names(), ["b.sql"]);
  assert.match(await text(), /edited/);
});

test("fifty files can be open, and no more in a link or on the device", async () => {
  await open();
  const files = Array.from({ length: 52 }, (_, number) => ({ path: `${number}.sql`, text: "SELECT 1;\n" }));
  await drop(files);
  await page.waitForFunction(() => document.querySelectorAll(".tab").length === 50);
  assert.match(await page.textContent("#toast") ?? "", /2 files, for want of room/);
  await page.click("#add");
  assert.match(await page.textContent("#toast") ?? "", /No more than 50 files/);
  assert.equal((await names()).length, 50);
  await page.goto(chromium.url + await linkTo(files));
  await page.waitForFunction(() => document.getElementById("toast")?.textContent?.includes("damaged"));
  // As something else has left it: it does not stay behind the reader's back.
  await page.evaluate((files) => localStorage.setItem("backstop-files", JSON.stringify({ files })), files);
  await page.goto(chromium.url);
  await settled(page, /Nothing to check/);
  assert.ok(!await page.isChecked("#remember"));
  assert.equal(await page.evaluate(() => localStorage.length), 0);
});

test("a checker that cannot start is told, and not started for ever", async () => {
  await page.addInitScript(() => {
    const broken = URL.createObjectURL(new Blob(["throw new Error('out of order')"]));
    const Real = Worker;
    Object.assign(window, { started: 0 });
    // @ts-ignore
    window.Worker = class extends Real {
      /** @param {string} url @param {WorkerOptions} options */
      constructor(url, options) {
        super(options.name === "lint" ? broken : url);
        // @ts-ignore
        if (options.name === "lint") window.started++;
      }
    };
  });
  await page.goto(chromium.url);
  await page.waitForFunction(() => document.getElementById("banner")?.textContent?.includes("cannot be loaded: "));
  await page.waitForTimeout(500);
  // @ts-ignore
  assert.equal(await page.evaluate(() => window.started), 3);
});

test("a crash is told, and the checker starts again", async () => {
  await page.addInitScript(() => {
    // The first checker breaks at its first call, as a trap would; the others are ours.
    const make = URL.createObjectURL.bind(URL);
    const Real = Worker;
    const broken = make(new Blob(["onmessage = ({ data: { id, name } }) => name === 'lint' && postMessage({ id, crashed: true, error: 'unreachable' })"]));
    let first = true;
    Object.assign(window, { unpackers: 0 });
    // @ts-ignore
    window.Worker = class extends Real {
      /** @param {string} url @param {WorkerOptions} options */
      constructor(url, options) {
        const isBroken = first && options.name === "lint";
        super(isBroken ? broken : url);
        first &&= !isBroken;
        // @ts-ignore
        if (options.name === "unpack") window.unpackers++;
      }
    };
  });
  await page.goto(chromium.url);
  await page.waitForSelector("#banner:not([hidden])");
  assert.match(await page.textContent("#banner") ?? "", /crashed on this text and was started again/);
  await paste(page, SCRIPT);
  await settled(page, /1 error/);
  assert.ok(await page.isHidden("#banner"));
  // @ts-ignore
  assert.equal(await page.evaluate(() => window.unpackers), 1, "the module is unpacked once");
});

test("a module that does not come whole is told", async () => {
  expected = /404|ERR_FAILED|Service Worker registration blocked/;
  const assets = new URL("../../target/wasm/site/assets/", import.meta.url);
  const name = (await readdir(assets)).find((name) => name.endsWith(".xz")) ?? "";
  const whole = await readFile(new URL(name, assets));
  const flipped = Buffer.from(whole);
  flipped[whole.length >> 1] ^= 1;
  /** @type {[Parameters<import("playwright-core").Route["fulfill"]>[0], RegExp][]} */
  const cases = [
    [{ body: flipped }, /its file is damaged/],
    [{ body: whole.subarray(0, whole.length >> 1) }, /its file is damaged/],
    [{ body: "" }, /its file is damaged/],
    [{ body: "<!doctype html>" }, /its file is damaged/],
    [{ status: 404, body: "not found" }, /its file is answered by 404/],
  ];
  for (const [answer, said] of cases) {
    await uncached();
    let asked = 0;
    await page.route(/\.xz$/, (route) => {
      asked++;
      return route.fulfill(answer);
    });
    await page.goto(chromium.url);
    await page.waitForSelector("#banner:not([hidden])");
    assert.match(await page.textContent("#banner") ?? "", /^These files cannot be checked: the checker cannot be loaded: /);
    assert.match(await page.textContent("#banner") ?? "", said);
    assert.equal(asked, 1, "what is loaded ahead is what is used");
  }
  await uncached();
  await page.route(/\.xz$/, (route) => route.abort());
  await page.goto(chromium.url);
  await page.waitForFunction(() => document.getElementById("banner")?.textContent?.includes("the checker cannot be loaded: "));
});

test("no other host can be asked, by the page or its worker", async () => {
  expected = /CSP: connect-src|Content Security Policy|Failed to fetch|Fetch API cannot load/;
  await open();
  const blocked = await page.evaluate(async () => {
    const from = async (/** @type {string} */ script) => {
      const worker = new Worker(URL.createObjectURL(new Blob([script])));
      return new Promise((resolve) => { worker.onmessage = ({ data }) => resolve(data); });
    };
    const page = await fetch("http://127.0.0.2:9/").then(() => "sent", (cause) => String(cause));
    const worker = await from("fetch('http://127.0.0.2:9/').then(() => postMessage('sent'), (cause) => postMessage(String(cause)))");
    return [page, worker];
  });
  assert.ok(blocked.every((answer) => /TypeError/.test(String(answer))), blocked.join());
  assert.ok(tab.complaints.some((complaint) => complaint.startsWith("CSP: connect-src")));
  // Chromium lists a request that it refused; it was never sent.
  tab.requests.splice(0, tab.requests.length, ...tab.requests.filter((url) => !url.includes("127.0.0.2")));
});

test("each rule has its page, and its examples open here", async () => {
  const pages = (await readdir(new URL("../../target/wasm/site/rules/", import.meta.url))).filter((name) => !name.includes("."));
  assert.deepEqual(pages.sort(), rules().map(({ id }) => id).sort());
  await page.goto(`${chromium.url}rules/`);
  await page.fill("#search", "pipefail");
  assert.deepEqual(await page.$$eval("[data-rule]:not([hidden]) code", (all) => all.map((one) => one.textContent)).then((all) => all.includes("pipefail-missing")), true);
  await page.click("[data-rule]:not([hidden]) a:has-text('pipefail-missing')");
  await page.click("a:has-text('Try')");
  await settled(page, /1 error/);
  assert.deepEqual(await cards(page), ["pipefail-missing backup.sh:3:1"]);
});

test("whoever's code is in the page is named, with the licence", async () => {
  await open();
  const [notice, module] = await Promise.all(["site", "package"].map((folder) =>
    readFile(new URL(`../../target/wasm/${folder}/licenses.txt`, import.meta.url), "utf8")));
  const named = (/** @type {string} */ text) => [...text.matchAll(/^(\S+ [\d.]+|the standard library of Rust) \(.+\)$/gm)].map(([, name]) => name.split(" ")[0]);
  for (const crate of ["memchr", "serde_json", "wasm-bindgen"]) {
    assert.ok(named(module).includes(crate), crate);
  }
  for (const one of [...named(module), "@codemirror/view", "@lezer/common", "style-mod", "xz-decompress"]) {
    assert.ok(named(notice).includes(one), one);
  }
  assert.match(notice, /Marijn Haverbeke/);
  for (const builder of ["syn", "esbuild", "typescript", "backstop-policy"]) assert.ok(!named(notice).includes(builder), builder);
  const link = await page.getAttribute("a:has-text('Licences')", "href");
  const answer = await page.goto(new URL(link ?? "", page.url()).href);
  assert.equal(await answer?.text(), notice);
});

test("a thousand findings are drawn in parts, and typing goes on; how fast is printed", async (t) => {
  await open();
  const many = `#!/bin/bash\n${"pg_dump shop | gzip > a.gz\n".repeat(1000)}`;
  await paste(page, many);
  await page.waitForSelector(".more");
  assert.equal(await page.locator(".card").count(), 200);
  await page.click(".more");
  assert.equal(await page.locator(".card").count(), 400);
  await page.click(".cm-line >> nth=1");
  const start = await page.evaluate(() => performance.now());
  await page.keyboard.type("# typed");
  const took = await page.evaluate((start) => performance.now() - start, start);
  t.diagnostic(`seven characters among a thousand findings: ${took.toFixed(0)} ms`);
  assert.match(await text(), /# typed/);
});
