// A server on node's own http, with the load of whoever asks: `server.mjs PORT KIND`, where KIND is ok,
// closures, cache, bounded, buffers or waiting.
import http from "node:http";
import { EventEmitter } from "node:events";
const [port, kind] = [Number(process.argv[2]), process.argv[3]];
const bus = new EventEmitter().setMaxListeners(0);
const cache = new Map();
let n = 0;
http.createServer((request, response) => {
  n += 1;
  const rows = Array.from({ length: 400 }, (_, i) => ({ id: n * 400 + i, name: `row ${i}`, at: Date.now() }));
  const page = JSON.stringify(rows);
  if (kind === "closures") bus.on("tick", () => rows.length + page.length);
  if (kind === "cache") cache.set(`/page?n=${n}`, page);
  if (kind === "bounded") {
    cache.set(`/page?n=${n}`, page);
    if (cache.size > 2500) cache.delete(cache.keys().next().value);
  }
  if (kind === "buffers" || kind === "waiting") {
    // Outside the heap, as what sockets and files are read into; freed when it is collected.
    const body = Buffer.alloc(60_000 + (n % 9) * 1_000, page);
    const answered = kind === "waiting" && n % 2 ? new Promise((resolve) => bus.once(`answer ${n}`, resolve)) : Promise.resolve();
    answered.then(() => body.length);
  }
  response.end(page);
}).listen(port, "127.0.0.1");
