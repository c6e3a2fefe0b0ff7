// A build tool around the TypeScript compiler that keeps every program: `builder.mjs FOLDER TYPESCRIPT`.
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
const [folder, typescript] = process.argv.slice(2);
const ts = createRequire(import.meta.url)(typescript);
const kept = [];
function build() {
  const files = fs.readdirSync(folder).filter((name) => name.endsWith(".ts")).map((name) => path.join(folder, name));
  const program = ts.createProgram(files, { noEmit: true, target: 99, strict: true, noLib: true, types: [] });
  program.getSemanticDiagnostics();
  kept.push(program);
}
build();
fs.watch(folder, () => { clearTimeout(build.timer); build.timer = setTimeout(build, 200); });
