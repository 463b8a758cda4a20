// Pictures of the page for the documentation: light, dark, and on a phone.

import { readFileSync } from "node:fs";
import path from "node:path";
import { FloePage } from "./page.mjs";

const MAP = `SELECT dest, COUNT(*) AS flights, ROUND(AVG(dep_delay), 1) AS delay, lon, lat
FROM flights JOIN airports ON flights.dest = airports.faa
WHERE lon > -130
GROUP BY dest, lon, lat HAVING COUNT(*) > 30 ORDER BY flights DESC`;

export async function takePictures(context, folder) {
    await fetch(new URL("api/tables/airports", context.server.url), { method: "PUT", body: readFileSync(context.airports) });
    await picture(context, path.join(folder, "serve.png"), { viewport: { width: 1250, height: 620 } }, MAP, async (view) => {
        await view.page.locator("#chart-size").selectOption("flights");
        await view.page.locator("#chart-colour").selectOption("delay");
    });
    await picture(context, path.join(folder, "serve-dark.png"), { viewport: { width: 1250, height: 620 }, colorScheme: "dark" }, "SELECT * FROM flights3m", async (view) => {
        await view.page.locator("#chart-chart").selectOption("scatter");
        await view.page.locator("#chart-x").selectOption("distance");
        await view.page.locator("#chart-y").selectOption("air_time");
        await view.page.locator("#chart-colour").selectOption("carrier");
    });
    await picture(context, path.join(folder, "serve-phone.png"), { viewport: { width: 375, height: 740 }, hasTouch: true }, "SELECT carrier, COUNT(*) AS flights FROM flights GROUP BY carrier ORDER BY flights DESC", async (view) => {
        await view.show("chart");
        await view.page.evaluate(() => window.scrollTo(0, document.getElementById("sql").offsetTop - 8));
    });
}

async function picture(context, file, options, sql, prepare) {
    const browserContext = await context.browser.newContext(options);
    const view = new FloePage(await browserContext.newPage());
    await view.page.goto(context.server.url);
    await view.page.locator('.table-name[data-table="flights"]').click();
    await view.page.locator(".column-list .bars").first().waitFor();
    const state = await view.query(sql, 120_000);
    if (state !== "done") throw new Error(`${sql}: ${state}`);
    await prepare(view);
    await view.page.locator("#chart svg[role=img]").waitFor();
    await view.page.mouse.move(2, 2);
    await view.page.waitForTimeout(900);
    await view.page.screenshot({ path: file });
    await browserContext.close();
}
