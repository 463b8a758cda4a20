// Bundles the page into dist/: index.html, app.css, app.js, and the charts as a chunk that is loaded when first drawn.
//
//   node build.mjs            the page, minified
//   node build.mjs --watch    for working on it: rebuilt at each change, with source maps

import { cpSync, rmSync, readdirSync, statSync } from "node:fs";
import * as esbuild from "esbuild";

const watch = process.argv.includes("--watch");
rmSync("dist", { recursive: true, force: true });

/** @type {esbuild.BuildOptions} */
const options = {
    entryPoints: { app: "src/main.ts", style: "src/style.css" },
    outdir: "dist",
    bundle: true,
    format: "esm",
    splitting: true,
    // No names with hashes: the binary embeds the folder as it is, and the server sends ETags.
    chunkNames: "[name]",
    target: ["es2022", "chrome110", "firefox115", "safari16.4"],
    minify: !watch,
    sourcemap: watch,
    legalComments: "linked",
    logLevel: "warning",
};

if (watch) {
    const context = await esbuild.context(options);
    cpSync("index.html", "dist/index.html");
    await context.watch();
} else {
    await esbuild.build(options);
    cpSync("index.html", "dist/index.html");
    const sizes = readdirSync("dist").map((name) => `${name} ${Math.ceil(statSync(`dist/${name}`).size / 1024)} KiB`);
    console.log(sizes.join(", "));
}
