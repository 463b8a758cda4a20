// What holds on the flights of a month: tables, queries, charts, errors, uploads, the look.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { FloePage } from "./page.mjs";

const BY_CARRIER = "SELECT carrier, COUNT(*) AS flights, MAX(dep_delay) AS worst FROM flights GROUP BY carrier ORDER BY flights DESC";

/** One page for the checks below, opened by the first. */
async function open(context, address = context.server.url, options = {}) {
    const browserContext = await context.browser.newContext({ viewport: { width: 1000, height: 800 }, acceptDownloads: true, ...options });
    const floePage = new FloePage(await browserContext.newPage());
    await floePage.page.goto(address);
    return floePage;
}

async function main(context) {
    context.floePage ??= await open(context);
    return context.floePage;
}

async function download(page, act) {
    const [file] = await Promise.all([page.waitForEvent("download"), act()]);
    return { name: file.suggestedFilename(), text: readFileSync(await file.path()) };
}

export const checks = {
    "tables are listed with their rows, and open to columns with pictures": async (context) => {
        const { page } = await main(context);
        const flights = page.locator('.table-name[data-table="flights"]');
        await flights.waitFor();
        assert.match(await flights.innerText(), /27,004 rows/);
        assert.match(await page.locator('.table-name[data-table="flights3m"]').innerText(), /3,024,448 rows/);
        await flights.click();
        await page.locator(".column-list .bars").first().waitFor();
        const names = await page.locator(".column-list .column-name").allInnerTexts();
        const [row] = context.floe.rows(context.tables, "SELECT * FROM 'flights.arrow' LIMIT 1");
        assert.deepEqual(names, Object.keys(row));
        const pictures = await page.locator(".column-list .bars").count();
        assert.ok(pictures >= 15, `${pictures} pictures`);
        const distance = page.locator(".column-list li", { has: page.locator(".column-name", { hasText: /^distance$/ }) });
        const [{ low, high }] = context.floe.rows(context.tables, "SELECT MIN(distance) AS low, MAX(distance) AS high FROM 'flights.arrow'");
        const text = await distance.locator(".bars").getAttribute("aria-label");
        assert.ok(text.includes(`${low}`) && text.includes(`${high}`), text);
        assert.equal(await flights.getAttribute("aria-expanded"), "true");
        return `${pictures} pictures`;
    },

    "a typed query is completed, run by the keyboard, and has floe's numbers": async (context) => {
        const view = await main(context);
        const { page } = view;
        await view.setQuery("SELECT carrier, COUNT(*) AS flights, MAX(dep_delay) AS worst FROM ");
        await page.keyboard.type("fligh", { delay: 30 });
        await page.locator(".cm-tooltip-autocomplete li", { hasText: "flights" }).first().waitFor();
        // The editor takes no key for its list in the first moment, so that typing on is not caught by it.
        await page.waitForTimeout(200);
        await page.keyboard.press("Enter");
        await page.keyboard.insertText(" GROUP BY carrier ORDER BY flights DESC");
        await page.keyboard.press("Control+Enter");
        assert.equal(await view.ended(), "done");
        const expected = context.floe.rows(context.tables, BY_CARRIER.replace("FROM flights", "FROM 'flights.arrow'"));
        const cells = await view.cells();
        assert.equal(cells.length, expected.length);
        const numbers = (rows) => rows.map(([carrier, flights, worst]) => [carrier, Number(flights), Number(worst)]).sort();
        assert.deepEqual(numbers(cells), numbers(expected.map(Object.values)));
        assert.match(await view.text("#status"), new RegExp(`^Done · ${expected.length} rows · .*B.* · .* ms|s`));
        return `${expected.length} rows`;
    },

    "bars show the same numbers": async (context) => {
        const view = await main(context);
        await view.show("chart");
        const marks = await view.marks();
        const expected = context.floe.rows(context.tables, BY_CARRIER.replace("FROM flights", "FROM 'flights.arrow'"));
        assert.deepEqual([...marks].sort(), expected.map((row) => `${row.carrier}: ${row.flights}`).sort());
        assert.equal(await view.text("#chart-notes"), `Drawn: all ${expected.length} rows.`);
    },

    "the chart is saved as SVG": async (context) => {
        const view = await main(context);
        const { name, text } = await download(view.page, () => view.page.locator("#chart-save").click());
        assert.equal(name, "chart.svg");
        const parsed = await view.page.evaluate((source) => {
            const root = new DOMParser().parseFromString(source, "image/svg+xml").documentElement;
            return { name: root.nodeName, bars: root.querySelectorAll("rect[aria-label]").length, open: source.includes("var(--accent)") };
        }, text.toString());
        assert.deepEqual(parsed, { name: "svg", bars: 16, open: false });
    },

    "the address brings back query, table and chart": async (context) => {
        const view = await main(context);
        const { page } = view;
        await page.locator("#chart-chart").selectOption("scatter");
        await page.locator("#chart-x").selectOption("worst");
        const hash = new URL(page.url()).hash;
        assert.match(hash, /sql=SELECT.*view=chart.*chart=scatter.*x=worst/);
        const other = await open(context, page.url());
        assert.equal(await other.ended(), "done");
        await other.page.locator("#chart svg circle").first().waitFor();
        assert.equal(await other.page.locator("#chart svg circle").count(), 16);
        assert.equal(await other.page.locator("#chart-x").inputValue(), "worst");
        await other.page.context().close();
    },

    "a histogram counts every value, a line is drawn": async (context) => {
        const view = await main(context);
        assert.equal(await view.query("SELECT distance FROM flights LIMIT 9000"), "done");
        await view.page.locator("#chart-chart").selectOption("histogram");
        const counts = (await view.marks()).map((mark) => Number(mark.split(": ")[1]));
        assert.equal(counts.reduce((a, b) => a + b, 0), 9000);
        assert.equal(await view.query("SELECT day, COUNT(*) AS flights FROM flights GROUP BY day ORDER BY day"), "done");
        await view.page.locator("#chart-chart").selectOption("line");
        await view.page.locator("#chart svg g[aria-label=line] path").waitFor();
        const label = await view.page.locator("#chart svg[role=img]").getAttribute("aria-label");
        assert.equal(label, "Line chart of flights by day: 31 points");
    },

    "an error is said and marked at its place": async (context) => {
        const view = await main(context);
        assert.equal(await view.query("SELECT day,\n  carier FROM flights"), "failed");
        const text = await view.text("#error");
        assert.match(text, /^Line 2, column 3: .*carier/);
        assert.equal(await view.page.locator(".cm-lintRange-error").innerText(), "carier");
        assert.equal(await view.query("SELECT FROM WHERE"), "failed");
        assert.notEqual(await view.text("#error"), "");
        assert.equal(await view.query("SELECT 1 AS one"), "done");
        assert.equal(await view.text("#error"), "");
        assert.equal(await view.page.locator(".cm-lintRange-error").count(), 0);
        return text.split("\n")[0];
    },

    "an uploaded file is a table, and airports are a map": async (context) => {
        const view = await main(context);
        const { page } = view;
        const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.locator("#upload").click()]);
        await chooser.setFiles(context.airports);
        await page.locator('.table-name[data-table="airports"]').waitFor();
        assert.match(await view.text("#upload-status"), /airports\.csv is now the table airports/);
        const sql = "SELECT faa, name, lon, lat, COUNT(*) AS flights FROM flights JOIN airports ON flights.dest = airports.faa GROUP BY faa, name, lon, lat";
        assert.equal(await view.query(sql), "done");
        await page.locator("#chart-chart").selectOption("map");
        const local = sql.replace("FROM flights", "FROM 'tables/flights.arrow' AS flights").replace("JOIN airports", "JOIN 'airports.csv' AS airports");
        const expected = context.floe.rows(context.folder, local);
        await page.locator("#chart svg g[aria-label=geo]").first().waitFor();
        assert.equal(await page.locator("#chart svg g[aria-label=dot] circle").count(), expected.length);
        return `${expected.length} airports`;
    },

    "a dropped file is a table and can be removed, one that is none is refused": async (context) => {
        const view = await main(context);
        const { page } = view;
        const drop = (name, content) =>
            page.evaluate(
                ([file, text]) => {
                    const transfer = new DataTransfer();
                    transfer.items.add(new File([text], file));
                    for (const type of ["dragenter", "dragover", "drop"]) document.body.dispatchEvent(new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
                },
                [name, content],
            );
        await drop("dropped.csv", "a,b\n1,<img src=x onerror=alert(1)>\n2,\n");
        await page.locator('.table-name[data-table="dropped"]').waitFor();
        assert.equal(await view.query("SELECT a, b FROM dropped ORDER BY a"), "done");
        await view.show("table");
        const cells = await view.cells();
        assert.deepEqual(cells[0], ["1", "<img src=x onerror=alert(1)>"]);
        assert.equal(await page.locator("#grid img").count(), 0);
        assert.match(await page.locator("#grid .grid-row").nth(1).locator(".grid-cell").nth(1).getAttribute("class"), /kind-null|kind-empty/);
        const dropped = page.locator('.table-name[data-table="dropped"]');
        await dropped.click();
        page.once("dialog", (dialog) => void dialog.accept());
        await page.getByRole("button", { name: "Remove: dropped" }).click();
        await dropped.waitFor({ state: "detached" });
        assert.equal(await page.getByRole("button", { name: "Remove: flights" }).count(), 0, "only uploads can be removed");
        await drop("broken.arrow", "ARROW1\0\0 this is no Arrow file");
        await page.waitForFunction(() => document.getElementById("error").textContent !== "");
        assert.match(await view.text("#error"), /^broken\.arrow: /);
        return (await view.text("#error")).split("\n")[0];
    },

    "results are downloaded as CSV, Arrow and Parquet": async (context) => {
        const view = await main(context);
        assert.equal(await view.query("SELECT carrier, flight, distance FROM flights ORDER BY distance, carrier, flight LIMIT 500"), "done");
        const csv = await download(view.page, () => view.page.locator("#download-csv").click());
        const expected = context.floe.rows(context.tables, "SELECT carrier, flight, distance FROM 'flights.arrow' ORDER BY distance, carrier, flight LIMIT 500");
        const lines = csv.text.toString().trim().split("\n");
        assert.deepEqual(lines.slice(1), expected.map((row) => Object.values(row).join(",")));
        const arrow = await download(view.page, () => view.page.locator("#download-arrow").click());
        assert.equal(arrow.text.subarray(0, 6).toString(), "ARROW1");
        const parquet = await download(view.page, () => view.page.locator("#download-parquet").click());
        assert.equal(parquet.text.subarray(0, 4).toString(), "PAR1");
        assert.deepEqual([csv.name, arrow.name, parquet.name], ["result.csv", "result.arrow", "result.parquet"]);
    },

    "the layout is a picture in a dialog, which Escape closes": async (context) => {
        const { page } = await main(context);
        const button = page.getByRole("button", { name: "Layout: flights", exact: true });
        await button.click();
        const image = page.locator("#dialog img");
        await image.waitFor();
        await page.waitForFunction(() => document.querySelector("#dialog img").naturalWidth > 0);
        await page.keyboard.press("Escape");
        assert.equal(await page.locator("#dialog").getAttribute("open"), null);
        assert.ok(await button.evaluate((node) => document.activeElement === node), "the focus went back");
    },

    "the history has the queries that were run": async (context) => {
        const view = await main(context);
        const { page } = view;
        await page.locator("#history").click();
        const entries = await page.locator(".history-entry").allInnerTexts();
        assert.ok(entries[0].startsWith("SELECT carrier, flight, distance"), entries[0]);
        assert.ok(entries.some((entry) => entry.includes("carier")), "failed queries are kept, too: they are to be mended");
        await page.locator(".history-entry", { hasText: "MAX(dep_delay)" }).click();
        assert.match(await page.locator(".cm-content").innerText(), /MAX\(dep_delay\)/);
    },

    "the keyboard reaches everything, and each control has a name": async (context) => {
        const view = await main(context);
        const { page } = view;
        assert.equal(await view.query("SELECT * FROM flights LIMIT 2000"), "done");
        await view.show("table");
        await page.locator(".cm-content").click();
        await page.keyboard.press("Tab");
        assert.equal(await page.evaluate(() => document.activeElement.id), "run");
        await page.locator("#grid").focus();
        await page.keyboard.press("Control+End");
        await view.frame();
        const active = await page.locator("#grid").getAttribute("aria-activedescendant");
        assert.equal(active, "cell-1999-18");
        const box = await page.locator(`#${active}`).boundingBox();
        const grid = await page.locator("#grid").boundingBox();
        assert.ok(box.y + box.height <= grid.y + grid.height + 1 && box.x + box.width <= grid.x + grid.width + 1, "the cell is in view");
        await page.keyboard.press("Control+Home");
        await page.keyboard.press("Enter");
        assert.match(await view.text("#dialog-title"), /^year: /);
        await page.keyboard.press("Escape");
        const unnamed = await page.evaluate(() =>
            [...document.querySelectorAll("button, a[href], select, input, [role=grid], [role=tab]")]
                .filter((node) => !(node.textContent.trim() || node.getAttribute("aria-label") || node.labels?.length))
                .map((node) => node.outerHTML.slice(0, 100)),
        );
        assert.deepEqual(unnamed, []);
        assert.match(await page.locator("#announce").textContent(), /Done, 2,000 rows/);
    },

    "a phone's width has no horizontal overflow": async (context) => {
        const view = await open(context, undefined, { viewport: { width: 375, height: 740 }, hasTouch: true });
        const { page } = view;
        await page.locator('.table-name[data-table="flights"]').click();
        await page.locator(".column-list .bars").first().waitFor();
        assert.equal(await view.query("SELECT * FROM flights LIMIT 100"), "done");
        for (const name of ["table", "chart"]) {
            await view.show(name);
            await view.frame();
            const width = await page.evaluate(() => document.documentElement.scrollWidth);
            assert.ok(width <= 375, `${name}: ${width} px`);
        }
        assert.deepEqual(view.faults, []);
        await page.context().close();
    },

    "dark and light are readable": async (context) => {
        const ratios = [];
        for (const colorScheme of ["dark", "light"]) {
            const view = await open(context, undefined, { colorScheme });
            await view.query("SELECT carrier, dep_time, time_hour FROM flights LIMIT 20");
            const seen = await view.page.evaluate(contrasts);
            assert.equal(seen.dark, colorScheme === "dark");
            const low = seen.pairs.filter((pair) => pair.ratio < 4.5);
            assert.deepEqual(low, [], "contrast of 4.5 to 1, as WCAG AA asks for");
            ratios.push(`${colorScheme} at least ${Math.min(...seen.pairs.map((pair) => pair.ratio)).toFixed(1)} to 1`);
            await view.page.context().close();
        }
        return ratios.join(", ");
    },

    "a token is taken out of the address, and is needed": async (context) => {
        const server = await context.floe.serve(path.join(context.tables, "flights.arrow"), "--token", "kept secret");
        const base = server.url.replace(/[?#].*$/, "");
        const stranger = await open(context, base);
        await stranger.page.waitForFunction(() => document.getElementById("error").textContent !== "");
        assert.match(await stranger.text("#error"), /token/);
        assert.equal(await stranger.page.locator(".table-name").count(), 0);
        await stranger.page.locator("#token").fill("kept secret");
        await stranger.page.keyboard.press("Enter");
        await stranger.page.locator('.table-name[data-table="flights"]').waitFor();
        await stranger.page.context().close();
        const view = await open(context, `${base}?token=${encodeURIComponent("kept secret")}`);
        await view.page.locator('.table-name[data-table="flights"]').waitFor();
        assert.ok(!view.page.url().includes("token"), view.page.url());
        assert.equal(await view.query("SELECT COUNT(*) AS n FROM flights"), "done");
        assert.deepEqual(await view.cells(), [["27004"]]);
        const csv = await download(view.page, () => view.page.locator("#download-csv").click());
        assert.equal(csv.text.toString(), "n\n27004\n");
        await view.page.reload();
        await view.page.locator('.table-name[data-table="flights"]').waitFor();
        await view.page.context().close();
    },

    "no script failed, nothing broke the content security policy": async (context) => {
        const { faults } = await main(context);
        assert.deepEqual(faults, []);
    },
};

/** Runs in the page: contrast of texts with what is behind them. */
function contrasts() {
    const parse = (color) => {
        const canvas = document.createElement("canvas");
        canvas.width = canvas.height = 1;
        const context = canvas.getContext("2d", { willReadFrequently: true });
        context.fillStyle = color;
        context.fillRect(0, 0, 1, 1);
        return context.getImageData(0, 0, 1, 1).data;
    };
    const luminance = (color) => {
        const [r, g, b] = [...parse(color)].slice(0, 3).map((part) => {
            const value = part / 255;
            return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (node) => {
        for (let at = node; at; at = at.parentElement) {
            const color = getComputedStyle(at).backgroundColor;
            if (parse(color)[3] === 255) return color;
        }
        return "white";
    };
    const selectors = ["h1", "#run", "#history", "#status", "#summary", ".table-name .name", ".cm-content", ".cm-gutters", ".grid-head .column-name", ".grid-head .column-type", ".grid-row .kind-text", ".grid-row .kind-number", ".grid-row .kind-time", "#tab-table", "#tab-chart"];
    const pairs = selectors.flatMap((selector) => {
        const node = document.querySelector(selector);
        if (!node) return [];
        const [a, b] = [luminance(getComputedStyle(node).color), luminance(behind(node))];
        return [{ selector, ratio: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) }];
    });
    return { dark: luminance(getComputedStyle(document.body).backgroundColor) < 0.2, pairs };
}
