// Sites on node: `sites.mjs FOLDER PORT KIND`, where FOLDER holds node_modules and KIND is express (sessions of
// visitors without cookies), chat (rooms whose members come and go), members (who are never taken off the list),
// vue (pages rendered on the server), watchers (and each page watches the shop), graphql (the documents of the last
// 2,000 queries), or documents (of all).
import http from "node:http";
import { createRequire } from "node:module";
const [folder, port, kind] = process.argv.slice(2);
const load = createRequire(`${folder}/`);
const rows = (n, count) => Array.from({ length: count }, (_, i) => ({ id: i, name: `row ${i} of ${n}` }));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
let n = 0;

function express() {
  const app = load("express")();
  app.use(load("express-session")({ secret: "none", resave: false, saveUninitialized: true }));
  app.get("/", (request, response) => {
    request.session.basket = rows(n += 1, 200);
    response.json(request.session.basket);
  });
  app.listen(Number(port), "127.0.0.1");
}

async function chat() {
  const { WebSocketServer, WebSocket } = load("ws");
  const members = new Set(), history = [];
  new WebSocketServer({ port: Number(port), host: "127.0.0.1" }).on("connection", (socket) => {
    members.add({ socket, seen: history.map((text) => Buffer.from(text)) });
    socket.on("message", (data) => {
      history.push(`${data}`);
      if (history.length > 120) history.shift();
      for (const member of members) if (member.socket.readyState === 1) member.socket.send(`${data}`);
    });
    if (kind === "chat") socket.on("close", () => members.forEach((member) => member.socket === socket && members.delete(member)));
  });
  for (; ; await pause(200 + Math.random() * 600)) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}`);
    socket.on("error", () => {});
    socket.on("open", async () => {
      for (let i = 0; i < 4; i += 1) { socket.send("word ".repeat(60) + (n += 1)); await pause(Math.random() * 3000); }
      socket.close();
    });
  }
}
// Every page watches the shop's one store; those that are not stopped outlive their page.
function vue() {
  const { createSSRApp, h, reactive, watch } = load("vue");
  const { renderToString } = load("vue/server-renderer");
  const shop = reactive({ price: 1 });
  http.createServer(async (_, response) => {
    const page = rows(n += 1, 300);
    const app = createSSRApp({ render: () => h("ul", page.map((row) => h("li", { id: row.id }, row.name))) });
    if (kind === "watchers") watch(() => shop.price, () => page.length);
    response.end(await renderToString(app));
  }).listen(Number(port), "127.0.0.1");
}

function graphql() {
  const { parse, buildSchema, execute } = load("graphql");
  const schema = buildSchema("type Row { id: Int name: String } type Query { row(id: Int): Row }");
  const documents = new Map();
  http.createServer(async (_, response) => {
    n += 1;
    const text = `{ ${Array.from({ length: 30 }, (_, i) => `row${i}: row(id: ${n + i}) { id name }`).join(" ")} }`;
    const document = documents.get(text) ?? parse(text);
    documents.set(text, document);
    if (kind === "graphql" && documents.size > 2000) documents.delete(documents.keys().next().value);
    response.end(JSON.stringify(await execute({ schema, document, rootValue: { row: ({ id }) => ({ id, name: `row ${id}` }) } })));
  }).listen(Number(port), "127.0.0.1");
}
({ express, chat, members: chat, vue, watchers: vue, graphql, documents: graphql })[kind]();
