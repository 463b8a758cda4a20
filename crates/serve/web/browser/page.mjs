// The page as a reader uses it: typing, waiting, reading cells and bars.

import { chromium } from "playwright-core";

/** Opens Debian's Chromium, or the one that is named. */
export function openBrowser(executablePath) {
    return chromium.launch({
        executablePath,
        headless: true,
        args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    });
}

export class FloePage {
    /** @param {import("playwright-core").Page} page */
    constructor(page) {
        this.page = page;
        /** Errors of scripts and of the content security policy: none are expected. */
        this.faults = [];
        page.on("pageerror", (error) => this.faults.push(String(error)));
        page.on("console", (message) => {
            // An answer with an error status is logged as well: those are part of the tests.
            if (message.type() === "error" && !/Failed to load resource/.test(message.text())) this.faults.push(message.text());
        });
        page.setDefaultTimeout(20_000);
    }

    async setQuery(sql) {
        await this.page.locator(".cm-content").click();
        await this.page.keyboard.press("Control+a");
        await this.page.keyboard.press("Delete");
        await this.page.keyboard.insertText(sql);
    }

    /** Types a query, runs it by the keyboard, waits for its end. The final state. */
    async query(sql, timeout = 30_000) {
        await this.setQuery(sql);
        await this.page.keyboard.press("Control+Enter");
        return this.ended(timeout);
    }

    async ended(timeout = 30_000) {
        await this.page.waitForFunction(() => !["waiting", "running", undefined].includes(document.getElementById("status").dataset.state), null, { timeout });
        return this.state();
    }

    state() {
        return this.page.locator("#status").getAttribute("data-state");
    }

    text(selector) {
        return this.page.locator(selector).innerText();
    }

    /** The cells in view, row by row. */
    async cells() {
        // Rows are drawn in the frame after they came.
        await this.frame();
        return this.page.locator("#grid .grid-row").evaluateAll((rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent)));
    }

    frame() {
        return this.page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve()))));
    }

    /** Texts of the marks of the chart: `UA: 4637`. */
    async marks() {
        await this.page.locator("#chart svg[role=img]").waitFor();
        await this.page.waitForTimeout(700);
        return this.page.locator("#chart svg rect[aria-label]").evaluateAll((marks) => marks.map((mark) => mark.getAttribute("aria-label")));
    }

    async show(view) {
        const tab = this.page.locator(`#tab-${view}`);
        if (await tab.isVisible()) await tab.click();
    }
}
