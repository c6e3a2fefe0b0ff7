// Programs on node that need no load: `turns.mjs KIND`, where KIND is one of the functions below.
// Those below `timers` leak, and it.
import { Worker } from "node:worker_threads";
import { Readable, Transform, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createHash, randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
const began = performance.now();
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const visitor = (rate) => pause((-Math.log(1 - Math.random()) / rate) * 1000);
const rows = (n, count = 300) => Array.from({ length: count }, (_, i) => ({ id: n * count + i, name: `row ${i} of ${n}`, at: i / 3 }));
let n = 0;

const kinds = {
  // A Map that forgets the page that was used least lately: full after a minute.
  async lru() {
    const pages = new Map();
    for (; ; await visitor(20)) {
      pages.set(n += 1, JSON.stringify(rows(n, 600 + (n % 5) * 200)));
      if (pages.size > 1100) pages.delete(pages.keys().next().value);
    }
  },
  // Buffers through a slow writer, which holds its reader back when 64 MB wait: after a minute.
  async streams() {
    const source = Readable.from((async function* () { for (; ; await visitor(55)) yield randomBytes(64_000); })());
    const hash = new Transform({ highWaterMark: 4 << 20, transform: (data, _, done) => done(null, Buffer.concat([data, createHash("sha256").update(data).digest()])) });
    const slow = new Writable({ highWaterMark: 64 << 20, write: (data, _, done) => setTimeout(done, 25) });
    await pipeline(source, hash, slow);
  },
  // Objects that live for some seconds: the old generation grows until it is collected.
  async parse() {
    const recent = [];
    for (; ; await pause(50)) {
      recent.push(JSON.parse(JSON.stringify(rows(n += 1, 500))));
      if (recent.length > 120) recent.splice(0, 60);
    }
  },
  // Workers that are started for a job and ended after it.
  async workers() {
    for (; ; await pause(2000)) {
      const worker = new Worker(new URL(import.meta.url), { argv: ["job"] });
      await pause(3000 + Math.random() * 2000);
      await worker.terminate();
    }
  },
  // Archives that are packed and thrown away.
  async archives() {
    for (; ; await visitor(6)) gzipSync(JSON.stringify(rows(n += 1, 1500)));
  },
  // Much that lives for a second: V8 gives its heap room for a while.
  async bursts() {
    for (; ; await visitor(1.2)) {
      const tables = Array.from({ length: 12 }, () => rows(n += 1, 4000));
      await pause(600);
      n += tables.length;
    }
  },
  // Tables that are loaded for 40 s, and are then all there are.
  async warm() {
    const tables = [];
    for (; ; await visitor(6)) {
      if (tables.length < 200) tables.push(rows(n += 1, 2000 + Math.random() * 3000));
      JSON.stringify(tables[n % tables.length]);
    }
  },
  async job() {
    const own = [];
    for (; ; await pause(100)) if (own.length < 40) own.push(rows(n += 1, 1000));
  },
  // A timer for each visitor, which nobody clears.
  async timers() {
    for (; ; await visitor(12)) {
      const page = rows(n += 1, 450);
      setInterval(() => page.length, 60_000_000);
    }
  },
  // A chain of promises, each of which remembers its page, that is never at its end.
  async promises() {
    let last = new Promise((resolve) => { globalThis.finish = resolve; });
    for (; ; await pause(100)) {
      const page = rows(n += 1, 350);
      JSON.stringify(rows(n, 2000));
      last = last.then(() => page.length);
    }
  },
  // A worker for each job, which nobody ends: one in 13 s.
  async forgotten() {
    for (; ; await pause(13_000)) new Worker(new URL(import.meta.url), { argv: ["job"] });
  },
  // A cache that is full after half a minute, and a list that from the 75th second on grows.
  async late() {
    const pages = new Map(), log = [];
    for (; ; await visitor(20)) {
      pages.set(n += 1, JSON.stringify(rows(n, 500)));
      if (pages.size > 600) pages.delete(pages.keys().next().value);
      if (performance.now() - began > 75_000) log.push({ at: n, body: JSON.stringify(rows(n, 700)) });
    }
  },
  // Requests that end by a controller, whose listeners stay with the server's own signal; for ten of 30 s nobody asks.
  async signals() {
    const server = new EventTarget();
    for (; ; await visitor(14)) {
      if ((performance.now() / 1000) % 30 > 20) continue;
      const body = rows(n += 1, 500);
      server.addEventListener("abort", () => body.length);
      JSON.stringify(rows(n, 1500));
    }
  },
  // A log of answers in one string that grows, with tables that come and go.
  async strings() {
    const answers = {};
    for (; ; await visitor(10)) {
      answers[`user ${(n += 1) % 20}`] = (answers[`user ${n % 20}`] ?? "") + JSON.stringify(rows(n, 600));
      if (n % 60 === 0) rows(n, 60_000);
    }
  },
  // Uploads that are kept, in waves as visitors come at noon and not at night.
  async uploads() {
    const kept = [];
    for (; ; await visitor(2 + 10 * Math.sin((performance.now() / 20_000) * Math.PI) ** 2)) kept.push(randomBytes(20_000 + Math.random() * 60_000));
  },
};
await kinds[process.argv[2]]();
