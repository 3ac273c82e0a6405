// Opens the page in Chromium and joins it to stdin and stdout: a line of JSON each for what it is told and what it tells.
//
//   node driver.mjs CHROMIUM SERVER     the browser's path, and the http address of a signaling server
//
// The page is served under the server's own address without the server knowing: requests below /page/ are answered here.
// Chromium ends with the pipe to this process, however this process ends.

import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const TYPES = { html: "text/html", js: "text/javascript" };
const [executablePath, address] = process.argv.slice(2);
const server = new URL(address).origin;
const tell = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);

const browser = await chromium.launch({
  executablePath,
  // As root there is no sandbox; the page is ours.
  chromiumSandbox: false,
  args: [
    "--autoplay-policy=no-user-gesture-required",
    // Signatures need a secure context, which a plain address that is not loopback is none.
    `--unsafely-treat-insecure-origin-as-secure=${server}`,
    "--disable-gpu",
    "--mute-audio",
  ],
});
// A page that came from nowhere, as Chromium sees it, may talk to this machine and its network only when it is allowed to.
const context = await browser.newContext({ permissions: ["local-network-access"] });
const page = await context.newPage();
page.on("pageerror", (error) => tell({ event: "failed", at_ms: 0, message: String(error.stack) }));
page.on("console", (message) => process.stderr.write(`${message.type()}: ${message.text()}\n`));
page.on("crash", () => tell({ event: "failed", at_ms: 0, message: "the page crashed" }));
await page.exposeFunction("tell", tell);
await page.route(`${server}/page/**`, async (route) => {
  const name = new URL(route.request().url()).pathname.slice("/page/".length);
  const body = await readFile(new URL(`page/${name}`, import.meta.url)).catch(() => null);
  if (body === null) await route.fulfill({ status: 404 });
  else await route.fulfill({ body, contentType: TYPES[name.split(".").pop()] });
});
await page.goto(`${server}/page/index.html`);

let quitting = false;
for await (const line of createInterface({ input: process.stdin })) {
  const told = JSON.parse(line);
  quitting = told.command === "quit";
  if (quitting) break;
  // Not awaited: a command may wait for what a later one brings about.
  page.evaluate((told) => window.command(told), told).catch((error) => {
    if (!quitting) tell({ event: "failed", at_ms: 0, message: String(error) });
  });
}
await browser.close();
// A standard input that is still open would keep this process.
process.exit(0);
