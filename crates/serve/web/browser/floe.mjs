// floe's command for the browser tests: answers to compare with, data, and servers that end with the tests.

import { execFileSync, spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import readline from "node:readline";

/** January 2013, repeated: about three million rows. */
export const REPEATED = 112;

/** Airports for the map: those of the flights data, when the whole file is not at hand. */
const AIRPORTS = `faa,name,lat,lon
ATL,Hartsfield Jackson Atlanta Intl,33.636719,-84.428067
BOS,General Edward Lawrence Logan Intl,42.364347,-71.005181
CLT,Charlotte Douglas Intl,35.214,-80.943139
DEN,Denver Intl,39.861656,-104.673178
FLL,Fort Lauderdale Hollywood Intl,26.072583,-80.15275
HNL,Honolulu Intl,21.318681,-157.922428
LAX,Los Angeles Intl,33.942536,-118.408075
MCO,Orlando Intl,28.429394,-81.308994
MIA,Miami Intl,25.79325,-80.290556
ORD,Chicago Ohare Intl,41.978603,-87.904842
SEA,Seattle Tacoma Intl,47.449,-122.309306
SFO,San Francisco Intl,37.618972,-122.374889
`;

export class Floe {
    /** Without a folder the page is the binary's own. @param {string} command @param {string | undefined} webDir */
    constructor(command, webDir) {
        this.command = command;
        this.webDir = webDir;
        this.servers = [];
    }

    run(...args) {
        return execFileSync(this.command, args, { encoding: "utf8", maxBuffer: 1 << 28, timeout: 120_000 });
    }

    /** A query's rows. Tables are named by their files: `'flights.arrow'`. */
    rows(folder, sql) {
        const text = execFileSync(this.command, ["sql", "-f", "json", sql], { cwd: folder, encoding: "utf8", timeout: 120_000 });
        return JSON.parse(text);
    }

    /** Starts a server and waits for its address. It runs until `stop`. */
    async serve(...args) {
        const page = this.webDir === undefined ? [] : ["--web-dir", this.webDir];
        const child = spawn(this.command, ["serve", ...args, "--no-open", ...page], { stdio: ["ignore", "pipe", "pipe"] });
        this.servers.push(child);
        let log = "";
        child.stderr.on("data", (chunk) => (log = (log + chunk).slice(-8000)));
        const lines = readline.createInterface({ input: child.stdout });
        const address = await new Promise((resolve, reject) => {
            const timer = setTimeout(() => reject(new Error(`floe serve printed no address in 30 s\n${log}`)), 30_000);
            lines.once("line", (line) => (clearTimeout(timer), resolve(line)));
            child.once("exit", (code) => (clearTimeout(timer), reject(new Error(`floe serve ended with ${code}\n${log}`))));
        });
        const found = /https?:\/\/\S+/.exec(address);
        if (!found) throw new Error(`the first line of floe serve is no address: ${address}`);
        return { url: found[0], log: () => log };
    }

    stop() {
        for (const child of this.servers) if (child.exitCode === null) child.kill("SIGTERM");
        // One that does not end by itself is ended.
        return Promise.all(
            this.servers.map((child) => {
                if (child.exitCode !== null || child.signalCode !== null) return undefined;
                const timer = setTimeout(() => child.kill("SIGKILL"), 5_000);
                return new Promise((resolve) => child.once("exit", () => (clearTimeout(timer), resolve())));
            }),
        );
    }
}

/** The real data in a folder: flights, the flights many times, airports to be uploaded. */
export function makeData(floe, root, folder) {
    const tables = path.join(folder, "tables");
    mkdirSync(tables);
    const csv = path.join(folder, "flights.csv.gz");
    copyFileSync(path.join(root, "examples/data/flights-2013-01.csv.gz"), csv);
    const flights = path.join(tables, "flights.arrow");
    // "NA" stands where there is no value.
    const numbers = ["dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"];
    const typed = numbers.map((name) => `TRY_CAST(${name} AS INT) AS ${name}`).join(", ");
    const whole = path.join(folder, "whole.arrow");
    floe.run("sql", `SELECT * REPLACE (${typed}) FROM '${csv}'`, "-o", whole);
    floe.run("convert", whole, flights, "--batch-rows", "8192");
    rmSync(whole);
    floe.run("cat", ...new Array(REPEATED).fill(flights), "-o", path.join(tables, "flights3m.arrow"));
    rmSync(csv);
    const shared = path.join(root, "../shared/data/airports.csv");
    const airports = path.join(folder, "airports.csv");
    if (existsSync(shared)) copyFileSync(shared, airports);
    else writeFileSync(airports, AIRPORTS);
    return { tables, airports };
}
