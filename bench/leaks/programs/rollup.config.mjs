// KEEP=1: a plugin that keeps the tree of every module that it ever saw.
const kept = [];
export default {
  input: "src/main.js",
  output: { file: "out.js" },
  plugins: process.env.KEEP ? [{ name: "keeps", moduleParsed: (info) => { kept.push([info.id, JSON.parse(JSON.stringify(info.ast))]); } }] : [],
};
