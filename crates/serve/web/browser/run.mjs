// The page in a real browser, on a real server, with real data. Run by scripts/web-browser.sh:
//
//   node browser/run.mjs --floe PATH --chromium PATH --root PATH [--web-dir FOLDER] [--pictures FOLDER] [--only TEXT]

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { Floe, makeData } from "./floe.mjs";
import { openBrowser } from "./page.mjs";
import { takePictures } from "./pictures.mjs";
import * as large from "./large.mjs";
import * as small from "./small.mjs";

/** Nothing here may take longer: a hanging browser is a failure, not a hanging build. */
const LIMIT_MS = 420_000;

const { values: options } = parseArgs({
    options: {
        floe: { type: "string" },
        chromium: { type: "string" },
        root: { type: "string" },
        "web-dir": { type: "string" },
        pictures: { type: "string" },
        only: { type: "string", default: "" },
    },
});
for (const name of ["floe", "chromium", "root"]) if (!options[name]) throw new Error(`--${name} is missing`);

const folder = mkdtempSync(path.join(tmpdir(), "floe-web-"));
const floe = new Floe(options.floe, options["web-dir"]);
let browser;
let failures = 0;
let checks = 0;

async function clean() {
    await browser?.close().catch(() => {});
    await floe.stop();
    rmSync(folder, { recursive: true, force: true });
}

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => void clean().then(() => process.exit(130)));
const watchdog = setTimeout(() => {
    console.error(`not done after ${LIMIT_MS / 1000} s`);
    void clean().then(() => process.exit(1));
}, LIMIT_MS);

async function check(name, test, context) {
    if (!name.includes(options.only)) return;
    const start = performance.now();
    checks++;
    try {
        const note = await test(context);
        console.log(`ok    ${name} (${Math.round(performance.now() - start)} ms)${note ? `: ${note}` : ""}`);
    } catch (error) {
        failures++;
        console.error(`FAILED ${name}: ${error.stack ?? error}`);
        await context.floePage?.page.screenshot({ path: path.join(tmpdir(), `floe-web-failed-${checks}.png`) }).catch(() => {});
    }
}

try {
    const data = makeData(floe, options.root, folder);
    const server = await floe.serve(data.tables);
    browser = await openBrowser(options.chromium);
    const context = { floe, server, browser, folder, ...data };
    for (const tests of [small, large]) for (const [name, test] of Object.entries(tests.checks)) await check(name, test, context);
    if (options.pictures) await takePictures(context, options.pictures);
    if (failures > 0) console.error(server.log());
} catch (error) {
    failures++;
    console.error(error);
} finally {
    clearTimeout(watchdog);
    await clean();
}
console.log(failures > 0 ? `${failures} of ${checks} failed` : `the page of floe serve: ${checks} checks hold in ${path.basename(options.chromium)}`);
process.exit(failures > 0 ? 1 : 0);
