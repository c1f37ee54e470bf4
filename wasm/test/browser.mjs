// Debian's Chromium for the tests: a page, and all that it asked for and complained of.

import { existsSync } from "node:fs";

import { chromium } from "playwright-core";

import { serve } from "./serve.mjs";

const PROGRAMS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("playwright-core").BrowserContextOptions} Options */

export async function start() {
  const executablePath = process.env.BACKSTOP_CHROMIUM ?? PROGRAMS.find((path) => existsSync(path));
  if (!executablePath) throw new Error("no Chromium; install it with: apt-get install -y chromium");
  const server = await serve();
  const browser = await chromium.launch({
    executablePath,
    // Root has no sandbox of its own; nothing but our own page is opened.
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  return {
    url: server.url,
    browser,
    /** A page of its own, with an empty cache. @param {Options} [options] */
    async page(options = {}) {
      const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
      await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: new URL(server.url).origin });
      const page = await context.newPage();
      /** @type {string[]} */
      const complaints = [];
      /** @type {string[]} */
      const requests = [];
      page.on("console", (message) => {
        if (["error", "warning"].includes(message.type())) complaints.push(message.text());
      });
      page.on("pageerror", (error) => complaints.push(String(error)));
      context.on("request", (request) => requests.push(request.url()));
      await page.addInitScript(() => {
        addEventListener("securitypolicyviolation", (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`));
      });
      return { page, context, complaints, requests };
    },
    async stop() {
      await browser.close();
      server.close();
    },
  };
}

/** Waits until the page shows the findings of what it holds. @param {Page} page @param {RegExp} [status] */
export async function settled(page, status = /error|warning|note|No findings|Nothing to check/) {
  await page.waitForFunction((source) => new RegExp(source).test(document.getElementById("status")?.textContent ?? ""), status.source);
}

/** Puts a text into the editor as a person pastes it. @param {Page} page @param {string} text */
export async function paste(page, text) {
  await page.click(".cm-content");
  await page.keyboard.press("ControlOrMeta+a");
  await page.evaluate((text) => {
    const data = new DataTransfer();
    data.setData("text/plain", text);
    document.querySelector(".cm-content")?.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
  }, text);
}

/** The findings that are shown: rule and place. @param {Page} page */
export async function cards(page) {
  return page.$$eval(".card", (all) => all.map((card) => `${card.querySelector(".rule")?.textContent} ${card.querySelector(".where span")?.textContent}`));
}
