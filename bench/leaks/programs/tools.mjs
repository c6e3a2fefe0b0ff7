// An editor's helper that runs a tool each second over a file that changes: `tools.mjs FOLDER eslint|prettier|keeps`,
// where FOLDER holds node_modules. `keeps` is eslint with the source and the tree of each run kept.
import { createRequire } from "node:module";
const [folder, kind] = process.argv.slice(2);
const load = createRequire(`${folder}/`);
const text = (n) => Array.from({ length: 60 }, (_, i) => `export function f${i}_${n % 50}(a,b){ var unused = ${n}; if(a==b){ return [a,b].map(x=>x+${i}) } }\n`).join("");
const kept = [];
const linter = kind === "prettier" ? null : new (load("eslint").Linter)();
const config = { rules: { eqeqeq: "error", "no-unused-vars": "error", "no-var": "error", "prefer-const": "error", complexity: "error" } };
for (let n = 0; ; n += 1) {
  if (kind === "prettier") await load("prettier").format(text(n), { parser: "babel" });
  else linter.verify(text(n), [config]);
  if (kind === "keeps" && n % 4 === 0) kept.push(linter.getSourceCode());
  await new Promise((resolve) => setTimeout(resolve, 500 + Math.random() * 1000));
}
