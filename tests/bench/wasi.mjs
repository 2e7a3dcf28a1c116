// Runs a WASI program in V8. Imports of the proxy's own interface, which it never calls, are there.
import { readFile } from "node:fs/promises";
import { WASI } from "node:wasi";

const [program, ...args] = process.argv.slice(2);
const wasi = new WASI({ version: "preview1", args: [program, ...args], preopens: { "/": "/" }, env: {} });
const module = await WebAssembly.compile(await readFile(program));
const imports = { wasi_snapshot_preview1: wasi.wasiImport, env: {} };
for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
  if (from === "env" && kind === "function") imports.env[name] = () => { throw new Error(`${name} was called`); };
}
const { exports } = await WebAssembly.instantiate(module, imports);
// Node takes a program for a library if it has `_initialize` as well.
process.exitCode = wasi.start({ exports: { memory: exports.memory, _start: exports._start } });
