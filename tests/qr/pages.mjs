// The pages that conclave writes, in Chromium: in light and dark, on a desktop and on a phone.
//
//     CHROMIUM=/usr/bin/chromium node pages.mjs PAGES SHOTS
//
// PAGES has plan.html (several frames), ceremony.html (two documents) and hash.html (one code), and reports under other
// names. SHOTS/qr/PAGE-VIEW gets a screenshot of every frame of a page, SHOTS/report one of every report; what the codes
// in them say is for others to read.

import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import { PNG } from "pngjs";
import { expect, failed, passed } from "./expect.mjs";

const [pages, shots] = process.argv.slice(2);
const views = [
  { name: "desktop-light", colorScheme: "light", viewport: { width: 1280, height: 900 } },
  { name: "desktop-dark", colorScheme: "dark", viewport: { width: 1280, height: 900 } },
  { name: "phone-light", colorScheme: "light", viewport: { width: 360, height: 740 }, deviceScaleFactor: 3, hasTouch: true, isMobile: true },
  { name: "phone-dark", colorScheme: "dark", viewport: { width: 360, height: 740 }, deviceScaleFactor: 3, hasTouch: true, isMobile: true },
];

/** Text whose contrast to what is behind it is below 4.5 to 1 (WCAG 2, success criterion 1.4.3). */
function faint() {
  const channels = (color) => {
    const [red, green, blue, alpha = 1] = color.match(/[\d.]+/g).map(Number);
    return [red, green, blue, alpha];
  };
  const over = (top, below) => [0, 1, 2].map((at) => top[at] * top[3] + below[at] * (1 - top[3])).concat(1);
  const luminance = (color) => {
    const [red, green, blue] = color.slice(0, 3).map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(channels(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]);
  };
  const found = [];
  let looked = 0;
  for (const element of document.body.querySelectorAll("*")) {
    const texts = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    // The watermark is meant to be seen through, and every word of it stands at the top too.
    if (texts.length === 0 || !element.checkVisibility() || element.closest("script, style, .watermark, button:disabled")) continue;
    const style = getComputedStyle(element);
    let paper = behind(element);
    let ink = style.color;
    if (element instanceof SVGElement) {
      ink = style.fill;
      // Text on a shape that was drawn just before it.
      const shape = element.previousElementSibling;
      if (/\bon-/.test(element.getAttribute("class") ?? "") && shape) paper = over(channels(getComputedStyle(shape).fill), paper);
    }
    const [a, b] = [luminance(over(channels(ink), paper)), luminance(paper)];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    looked += 1;
    if (contrast < 4.5) found.push(`${contrast.toFixed(2)} "${texts[0].data.trim().slice(0, 40)}"`);
  }
  return { looked, found };
}

/** Opens a page as a file, and holds against it whatever it loads or complains about. */
async function open(browser, view, name) {
  const { name: viewName, ...options } = view;
  const where = `${name}, ${viewName}`;
  const url = pathToFileURL(resolve(pages, `${name}.html`)).href;
  const context = await browser.newContext({ deviceScaleFactor: 1, ...options });
  const page = await context.newPage();
  const troubles = [];
  page.on("console", (message) => {
    if (["error", "warning", "assert"].includes(message.type())) troubles.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => troubles.push(`error: ${error}`));
  page.on("request", (request) => {
    // The empty icon that keeps browsers from asking for one.
    if (request.url() !== url && request.url() !== "data:,") troubles.push(`request: ${request.url()}`);
  });
  await page.goto(url);
  const fits = () => page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth && document.body.scrollWidth <= document.documentElement.clientWidth);
  expect(await fits(), `${where}: scrolls sideways`);
  const { looked, found } = await page.evaluate(faint);
  expect(looked > 0 && found.length === 0, `${where}: contrast below 4.5 in ${found.length} of ${looked} texts: ${found.slice(0, 5).join("; ")}`);
  const dark = await page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).every((value) => value < 128));
  expect(dark === (options.colorScheme === "dark"), `${where}: not in its colours`);
  const done = async () => {
    expect(troubles.length === 0, `${where}: ${troubles.join("; ")}`);
    await context.close();
  };
  return { page, where, done };
}

/** What the page says: which document and frame, how fast, and whether it is paused. */
async function state(page) {
  return page.evaluate(() => {
    const text = document.getElementById("place").textContent;
    const number = (pattern) => Number(text.match(pattern)?.[1]);
    return {
      title: document.getElementById("title").textContent,
      document: number(/document (\d+) of/) || 1,
      documents: number(/document \d+ of (\d+)/) || 1,
      frame: number(/frame (\d+) of/) || 1,
      frames: number(/frame \d+ of (\d+)/) || 1,
      enough: number(/any (\d+) or/) || 1,
      rate: number(/([\d.]+) a second/),
      paused: /paused/.test(text),
      width: document.getElementById("code").getBoundingClientRect().width,
    };
  });
}

/** Every pixel of the code is black or white, and its quiet zone is white; returns the share that is black. */
function blackAndWhite(png, box, ratio, modules) {
  const { data, width } = PNG.sync.read(png);
  const side = Math.round(box.width * ratio);
  // The browser moves the code to whole pixels: its edge is the first white one, as no paper is white.
  const edge = (start, offset) => {
    const from = Math.max(0, Math.round(start * ratio) - 3);
    const at = [0, 1, 2, 3, 4, 5, 6].find((more) => data.readUIntBE(offset(from + more) * 4, 3) === 0xffffff);
    return from + (at ?? 0);
  };
  const left = edge(box.x, (x) => Math.round((box.y + box.height / 2) * ratio) * width + x);
  const top = edge(box.y, (y) => y * width + Math.round((box.x + box.width / 2) * ratio));
  const quiet = Math.floor((side / modules) * 4);
  let right = true;
  let black = 0;
  for (let y = 0; y < side; y += 1) {
    for (let x = 0; x < side; x += 1) {
      const at = ((top + y) * width + left + x) * 4;
      const [r, g, b] = [data[at], data[at + 1], data[at + 2]];
      const white = r === 255 && g === 255 && b === 255;
      const inside = x >= quiet && y >= quiet && x < side - quiet && y < side - quiet;
      if (!white && !(inside && r === 0 && g === 0 && b === 0)) right = false;
      if (!white) black += 1;
    }
  }
  return { right, share: black / (side * side) };
}

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const button = (page, name) => page.getByRole("button", { name, exact: true });

/** Every button and its key do what the button's name says. `press` is called with both. */
async function controls(page, where, press, how) {
  const start = await state(page);
  const moves = start.frames > 1;
  const now = async (what, right) => {
    const after = await state(page);
    expect(right(after), `${where}, ${how}: ${what}: ${JSON.stringify(after)}`);
    return after;
  };
  if (moves) {
    if (!start.paused) await press("Pause", " ");
    const paused = await now("pause", (s) => s.paused);
    await page.waitForTimeout(450);
    await now("stays", (s) => same(s, paused));
    await press("Frame on", "ArrowRight");
    await now("frame on", (s) => s.frame === (paused.frame % paused.frames) + 1);
    await press("Frame back", "ArrowLeft");
    await press("Frame back", "ArrowLeft");
    await now("frame back", (s) => s.frame === ((paused.frame + paused.frames - 2) % paused.frames) + 1);
    await press("Go on", " ");
    await now("go on", (s) => !s.paused && s.rate > 0);
    await press("Slower", "-");
    const slower = await now("slower", (s) => s.rate < (start.rate || 5));
    await press("Faster", "+");
    await press("Faster", "+");
    await now("faster", (s) => s.rate > slower.rate);
    await press("Slower", "-");
  }
  await press("Smaller", "s");
  const smaller = await now("smaller", (s) => s.width < start.width);
  await press("Larger", "l");
  await now("larger", (s) => s.width > smaller.width && s.width === start.width);
  for (let number = start.documents; number > 1; number -= 1) {
    const before = await state(page);
    await press("Next document", "n");
    await now("next document", (s) => s.document !== before.document && s.title !== before.title);
  }
  if (start.documents > 1) {
    await press("Next document", "n");
    await now("first document again", (s) => s.document === start.document && s.title === start.title);
  }
}

async function codes(browser, view, name) {
  const { page, where, done } = await open(browser, view, name);
  const phone = view.name.startsWith("phone");
  const folder = join(shots, "qr", `${name}-${view.name}`);
  mkdirSync(folder, { recursive: true });
  const { viewport } = view;
  const ratio = view.deviceScaleFactor ?? 1;

  // The code fills the screen, and buttons are where a thumb is, of a size that it meets.
  const box = await page.locator("#code").boundingBox();
  const filled = box.width / Math.min(viewport.width, viewport.height);
  expect(filled > 0.88 && box.x >= 0 && box.y >= 0, `${where}: the code fills ${filled.toFixed(2)} of the screen`);
  for (const one of await page.getByRole("button").all()) {
    const label = (await one.innerText()).trim();
    const place = await one.boundingBox();
    expect(label !== "", `${where}: a button without a name`);
    expect(await one.evaluate((it) => it.scrollWidth <= it.clientWidth), `${where}: ${label} is cut`);
    expect(place.height >= 44 && place.width >= 44, `${where}: ${label} is small`);
    expect(place.y + place.height <= viewport.height, `${where}: ${label} is below the screen`);
    expect(!phone || place.y > viewport.height / 2, `${where}: ${label} is far from the thumb`);
  }

  const start = await state(page);
  expect(start.documents === (name === "ceremony" ? 2 : 1), `${where}: ${start.documents} documents`);
  expect(start.frames > 1 === (name !== "hash"), `${where}: ${start.frames} frames`);
  if (start.frames > 1) {
    await page.waitForFunction((frame) => !document.getElementById("place").textContent.includes(`frame ${frame} of`), start.frame);
  }
  const press = (label) => (phone ? button(page, label).tap() : button(page, label).click());
  await controls(page, where, press, "buttons");
  await page.evaluate(() => document.activeElement.blur());
  await controls(page, where, (_, key) => page.keyboard.press(key), "keys");
  // The space bar on a button is that button's.
  if (start.documents > 1) {
    await button(page, "Next document").focus();
    await page.keyboard.press(" ");
    const after = await state(page);
    expect(after.document === 2 && !after.paused, `${where}: space on a button`);
    await page.keyboard.press("n");
  }

  let number = 0;
  const shoot = async () => {
    const png = await page.screenshot();
    writeFileSync(join(folder, `${String((number += 1)).padStart(3, "0")}.png`), png);
    return png;
  };
  // While it runs: until every frame was on the screen.
  const running = name === "plan" && (view.name === "desktop-light" || view.name === "phone-dark");
  if (running) {
    await press("Slower");
    await press("Slower");
    const seen = new Set();
    const end = Date.now() + 30_000;
    while (seen.size < start.frames && Date.now() < end) {
      await shoot();
      seen.add((await state(page)).frame);
    }
    expect(seen.size === start.frames, `${where}: ${seen.size} of ${start.frames} frames while it runs`);
  } else {
    // Paused, frame by frame: as many as are enough.
    for (let at = 1; at <= start.documents; at += 1) {
      if (start.frames > 1 && !(await state(page)).paused) await press("Pause");
      while ((await state(page)).frame !== 1) await page.keyboard.press("ArrowLeft");
      const { enough, frames } = await state(page);
      // One page shows all that it has, for the others a reader needs no more.
      const wanted = view.name === "desktop-dark" ? frames : enough;
      for (let frame = 1; frame <= wanted; frame += 1) {
        await shoot();
        if (frame < wanted) await page.keyboard.press("ArrowRight");
      }
      if (start.documents > 1) await press("Next document");
    }
  }
  const modules = await page.evaluate(() => {
    const documents = JSON.parse(document.getElementById("data").textContent);
    return documents[0].frames[0].size + 8;
  });
  const { right, share } = blackAndWhite(await page.screenshot(), await page.locator("#code").boundingBox(), ratio, modules);
  expect(right && share > 0.2, `${where}: the code is not black on white, ${share.toFixed(2)} of it black`);
  // Other sizes of window.
  for (const [width, height] of [[740, 360], [320, 568], [1024, 1366]]) {
    await page.setViewportSize({ width, height });
    await page.waitForTimeout(50);
    const found = await page.evaluate(() => {
      const { left, right, top, bottom } = document.getElementById("code").getBoundingClientRect();
      const fits = left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight;
      const sideways = document.documentElement.scrollWidth > document.documentElement.clientWidth;
      const covered = [...document.querySelectorAll("button, h1, #place")].some((other) => {
        const box = other.getBoundingClientRect();
        return box.width > 0 && box.left < right && box.right > left && box.top < bottom && box.bottom > top;
      });
      return { fits, sideways, covered, filled: (right - left) / Math.min(innerWidth, innerHeight) };
    });
    expect(found.fits && !found.sideways && !found.covered && found.filled > 0.75, `${where} at ${width}x${height}: ${JSON.stringify(found)}`);
  }
  await done();
}

async function report(browser, view, name) {
  const { page, where, done } = await open(browser, view, name);
  const folder = join(shots, "report");
  mkdirSync(folder, { recursive: true });
  for (const details of await page.locator("details").all()) await details.evaluate((one) => (one.open = true));
  const { found } = await page.evaluate(faint);
  expect(found.length === 0, `${where}, all open: contrast below 4.5: ${found.slice(0, 5).join("; ")}`);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(wide <= 0, `${where}, all open: scrolls sideways by ${wide}`);
  await page.screenshot({ path: join(folder, `${name}-${view.name}.png`), fullPage: true, scale: "css" });
  await done();
}

// A new empty profile, and nothing that would look for a network by itself.
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
try {
  const names = readdirSync(pages).map((file) => file.replace(/\.html$/, "")).sort();
  const work = names.flatMap((name) => views.map((view) => [name, view]));
  // Two at once: much of the time a page is only waited for.
  const worker = async () => {
    for (let next = work.shift(); next; next = work.shift()) {
      const [name, view] = next;
      const look = ["plan", "ceremony", "hash"].includes(name) ? codes : report;
      try {
        await look(browser, view, name);
      } catch (error) {
        expect(false, `${name}, ${view.name}: ${error.stack}`);
      }
    }
  };
  await Promise.all([worker(), worker()]);
  console.log(`Chromium ${browser.version()}: ${passed} passed, ${failed} failed`);
} finally {
  await browser.close();
}
process.exit(failed > 0 || passed === 0 ? 1 : 0);
