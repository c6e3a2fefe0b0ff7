// KEEP=1: a plugin that keeps the source of every module that it ever transformed, as some do.
const kept = [];
export default {
  logLevel: "error",
  clearScreen: false,
  plugins: process.env.KEEP ? [{
    name: "keeps",
    transform(code, id) { kept.push({ id, code: code + " ", ast: this.parse(code), lines: code.split("").map((c) => ({ c })) }); return null; },
  }] : [],
};
