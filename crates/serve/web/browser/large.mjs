// What holds on three million rows: rows on screen before the end, bounded memory, an end by the reader.

import assert from "node:assert/strict";
import { FloePage } from "./page.mjs";

const ROWS = 3_024_448;
/** 64 MiB of batches, as much again for those in flight and not yet collected, and the page itself. */
const MAX_MEMORY = 260 * 1024 * 1024;

async function fresh(context) {
    const browserContext = await context.browser.newContext({ viewport: { width: 1000, height: 800 } });
    const view = new FloePage(await browserContext.newPage());
    await view.page.goto(context.server.url);
    await view.page.locator('.table-name[data-table="flights3m"]').waitFor();
    return view;
}

/** Bytes of the page's scripts: objects, and buffers beside them. */
async function memory(session) {
    const usage = await session.send("Runtime.getHeapUsage");
    return { objects: usage.usedSize, buffers: usage.backingStorageSize ?? 0 };
}

const mib = (bytes) => `${(bytes / 1024 / 1024).toFixed(0)} MiB`;

export const checks = {
    "three million rows: the first are on screen before the query ends, memory is bounded": async (context) => {
        const view = await fresh(context);
        const { page } = view;
        const session = await page.context().newCDPSession(page);
        await session.send("HeapProfiler.collectGarbage");
        const before = await memory(session);
        await view.setQuery("SELECT * FROM flights3m");
        await page.keyboard.press("Control+Enter");
        // In the page: the first frame in which a cell and a running query are to be seen together.
        const first = await page.evaluate(
            () =>
                new Promise((resolve, reject) => {
                    const start = performance.now();
                    const look = () => {
                        const cell = document.querySelector("#grid .grid-row .grid-cell")?.textContent;
                        const state = document.getElementById("status").dataset.state;
                        if (cell) return resolve({ cell, state, ms: performance.now() - start, status: document.getElementById("status").textContent });
                        if (performance.now() - start > 60_000) return reject(new Error("no rows after a minute"));
                        requestAnimationFrame(look);
                    };
                    look();
                }),
        );
        assert.deepEqual([first.cell, first.state], ["2013", "running"], first.status);
        let most = { objects: 0, buffers: 0 };
        let samples = 0;
        while ((await view.state()) === "running" && samples < 2_000) {
            const now = await memory(session);
            if (now.objects + now.buffers > most.objects + most.buffers) most = now;
            samples++;
            await page.waitForTimeout(50);
        }
        assert.equal(await view.ended(120_000), "done");
        const status = await view.text("#status");
        assert.match(status, /^Done · 3,024,448 rows/);
        const shown = await view.text("#shown");
        assert.match(shown, /^Showing the first [\d,]+ of 3,024,448 rows/);
        await session.send("HeapProfiler.collectGarbage");
        const after = await memory(session);
        assert.ok(most.objects + most.buffers < MAX_MEMORY, `at most ${mib(most.objects)} of objects and ${mib(most.buffers)} of buffers`);
        assert.ok(after.objects + after.buffers < MAX_MEMORY / 2, `${mib(after.objects)} and ${mib(after.buffers)} after`);
        // The last row that is kept is the right one, and nearly none of the rows are elements.
        await page.locator("#grid").focus();
        await page.keyboard.press("Control+End");
        await view.frame();
        const kept = Number(/first ([\d,]+) of/.exec(shown)[1].replaceAll(",", ""));
        const [row] = context.floe.rows(context.tables, `SELECT dep_time, flight, tailnum FROM 'flights.arrow' LIMIT 1 OFFSET ${(kept - 1) % 27_004}`);
        await page.keyboard.press("Home");
        await view.frame();
        const last = (await view.cells()).at(-1);
        assert.deepEqual([last[3], last[10], last[11]].filter((cell) => cell !== undefined), [row.dep_time, row.flight, row.tailnum].map((value) => String(value)).slice(0, last.length > 11 ? 3 : 1));
        assert.ok((await page.locator("#grid .grid-row").count()) < 80);
        await page.locator("#tab-chart").click();
        await page.locator("#chart svg[role=img]").waitFor();
        assert.match(await view.text("#chart-notes"), /^Drawn: of every \d+th row: [\d,]+ of 3,024,448/);
        assert.deepEqual(view.faults, []);
        await page.context().close();
        const [total] = context.floe.rows(context.tables, "SELECT COUNT(*) AS n FROM 'flights3m.arrow'");
        assert.equal(total.n, ROWS);
        return `first rows after ${Math.round(first.ms)} ms; ${status}; page before ${mib(before.objects + before.buffers)}, at most ${mib(most.objects + most.buffers)} (${samples} samples), after ${mib(after.objects + after.buffers)}`;
    },

    "a query that takes long is cancelled, here and in the server": async (context) => {
        const view = await fresh(context);
        const { page } = view;
        await view.setQuery("SELECT a.flight, b.distance FROM flights3m AS a JOIN flights3m AS b ON a.carrier = b.carrier");
        await page.keyboard.press("Control+Enter");
        await page.locator("#cancel:enabled").waitFor();
        await page.waitForTimeout(700);
        const start = performance.now();
        await page.locator("#cancel").click();
        assert.equal(await view.ended(5_000), "cancelled");
        const took = performance.now() - start;
        assert.ok(await page.locator("#cancel").isDisabled());
        // The server stops at the query's next frame. The join's table may have to be built first.
        let running = "";
        for (let i = 0; i < 400 && running !== "0"; i++) {
            running = /^floe_queries_running (\d+)/m.exec(await (await fetch(new URL("metrics", context.server.url))).text())?.[1] ?? "";
            await page.waitForTimeout(100);
        }
        assert.equal(running, "0");
        assert.equal(await view.query("SELECT COUNT(*) AS n FROM flights"), "done");
        assert.deepEqual(await view.cells(), [["27004"]]);
        await page.context().close();
        return `after ${Math.round(took)} ms`;
    },

    "a stream that is cancelled in the middle keeps its rows, and says that they are a part": async (context) => {
        const view = await fresh(context);
        const { page } = view;
        await view.setQuery("SELECT * FROM flights3m");
        await page.keyboard.press("Control+Enter");
        await page.locator("#grid .grid-row").first().waitFor();
        await page.locator("#cancel").click();
        assert.equal(await view.ended(5_000), "cancelled");
        assert.match(await view.text("#shown"), /Cancelled: the rows shown are a part of the result/);
        assert.ok((await page.locator("#grid .grid-row").count()) > 5);
        await page.context().close();
    },

    "a result that breaks off is said to be a part": async (context) => {
        const view = await fresh(context);
        // Fails when rows have been sent already: names of aircraft are no numbers.
        const sql = "SELECT flight AS n FROM flights3m UNION ALL SELECT CAST(tailnum AS BIGINT) AS n FROM flights";
        assert.equal(await view.query(sql), "incomplete");
        const text = await view.text("#shown");
        assert.match(text, /The result is incomplete: .* The rows shown are a part of it\.$/);
        assert.match(await view.text("#status"), /^Incomplete · [\d,]+ rows/);
        await view.page.context().close();
        return text;
    },
};
