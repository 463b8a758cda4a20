// Bundles the page into dist/: index.html, app.css, app.js, and the charts as a chunk that is loaded when first drawn.
//
//   node build.mjs            the page, minified
//   node build.mjs --watch    for working on it: rebuilt at each change, with source maps

import { cpSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import * as esbuild from "esbuild";

/** The licences of the packages that are in the bundle: each asks to be passed on with it. */
function licenses(metafile) {
    const packages = new Set(Object.keys(metafile.inputs).flatMap((file) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? []));
    const texts = [...packages].sort().map((name) => {
        const folder = `node_modules/${name}`;
        const about = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
        const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
        const text = file ? readFileSync(`${folder}/${file}`, "utf8") : `Licence: ${about.license}`;
        return `${name} ${about.version}\n\n${text.trim()}\n`;
    });
    return texts.join(`\n${"-".repeat(80)}\n\n`);
}

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
    legalComments: "none",
    metafile: true,
    logLevel: "warning",
};

if (watch) {
    const context = await esbuild.context(options);
    cpSync("index.html", "dist/index.html");
    await context.watch();
} else {
    const { metafile } = await esbuild.build(options);
    cpSync("index.html", "dist/index.html");
    writeFileSync("dist/licenses.txt", licenses(metafile));
    const sizes = readdirSync("dist").map((name) => `${name} ${Math.ceil(statSync(`dist/${name}`).size / 1024)} KiB`);
    console.log(sizes.join(", "));
}
