"""What the recorded programs need: the folders that they work in, and the loads that they work under."""
import json, os, random, shutil, socket, subprocess, threading, time, urllib.request

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")
LANGUAGES = {"py": "python", "ts": "typescript", "css": "css", "sh": "shellscript", "c": "c"}
stopping = threading.Event()


def port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def requests(at, rate):
    """A load of `rate` requests a second, unsteady as people are."""
    def load(one):
        while not stopping.is_set():
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{one.port}{at}", timeout=5).read()
            except OSError:
                time.sleep(0.5)
            time.sleep(random.expovariate(rate))
    return load


def edits(name, every, text="export const value: number = %d;\n"):
    """Somebody who saves a file from time to time."""
    def load(one):
        n = 0
        while not stopping.wait(random.uniform(0.6, 1.4) * every):
            n += 1
            with open(os.path.join(one.folder, name), "w") as f:
                f.write(text % n)
    return load


def hmr(every):
    """Somebody who saves a module of a dev server, and a browser that fetches it."""
    def load(one):
        n = 0
        while not stopping.wait(random.uniform(0.6, 1.4) * every):
            n += 1
            with open(os.path.join(one.folder, "src", "main.js"), "w") as f:
                f.write("import './part0.js';\n" + f"export const n{n} = {n};\n" * 200)
            for path in ["/", f"/src/main.js?t={n}"] + [f"/src/part{i}.js?t={n}" for i in range(12)]:
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{one.port}{path}", timeout=5).read()
                except OSError:
                    pass
    return load


def typed(one, files=60):
    """A folder of TypeScript that depends on itself."""
    for i in range(files):
        with open(os.path.join(one.folder, f"m{i}.ts"), "w") as f:
            f.write(f"import {{ value as v }} from './value';\n" + "".join(
                f"export interface I{i}_{k} {{ a: number; b: string; c: Array<{{ d: number }}> }}\n"
                f"export function f{i}_{k}(x: I{i}_{k}): number {{ return x.a + x.c.length + v; }}\n" for k in range(40)))
    with open(os.path.join(one.folder, "value.ts"), "w") as f:
        f.write("export const value: number = 1;\n")
    with open(os.path.join(one.folder, "tsconfig.json"), "w") as f:
        json.dump({"compilerOptions": {"strict": True, "noEmit": True, "target": "es2022", "module": "esnext", "moduleResolution": "bundler", "types": []}}, f)


def modules(one):
    os.makedirs(os.path.join(one.folder, "src"))
    for i in range(12):
        with open(os.path.join(one.folder, "src", f"part{i}.js"), "w") as f:
            f.write("".join(f"export const a{i}_{k} = {{ id: {k}, text: 'row {k}' }};\n" for k in range(300)))
    with open(os.path.join(one.folder, "src", "main.js"), "w") as f:
        f.write("".join(f"import './part{i}.js';\n" for i in range(12)))
    with open(os.path.join(one.folder, "index.html"), "w") as f:
        f.write('<script type="module" src="/src/main.js"></script>')
    shutil.copy(os.path.join(HERE, "vite.config.mjs"), one.folder)
    packages(one)
    with open(os.path.join(one.folder, "value.test.js"), "w") as f:
        f.write("import { test, expect } from 'vitest';\ntest('value', () => expect(1).toBe(1));\n")


def packages(one):
    """The npm packages, where a folder's own programs find them."""
    os.symlink(os.path.join(one.tools, "node", "node_modules"), os.path.join(one.folder, "node_modules"))


def written(files):
    """A folder with files of its own, {path: text}, which finds the npm packages."""
    def make(one):
        packages(one)
        for path, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(one.folder, path)) or one.folder, exist_ok=True)
            with open(os.path.join(one.folder, path), "w") as f:
                f.write(text.replace("{folder}", one.folder).replace("{port}", str(one.port)))
    return make


def bundled(one):
    modules(one)
    shutil.copy(os.path.join(HERE, "rollup.config.mjs"), one.folder)


def c_files(one):
    for i in range(20):
        with open(os.path.join(one.folder, f"m{i}.c"), "w") as f:
            f.write("#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n" + "".join(
                f"static int f{i}_{k}(const char *text, int n) {{ return printf(\"%s %d\", text, n) + {k}; }}\n" for k in range(60)))


def python_files(one):
    for i in range(40):
        with open(os.path.join(one.folder, f"m{i}.py"), "w") as f:
            f.write("from dataclasses import dataclass\nfrom value import value\n" + "".join(
                f"@dataclass\nclass C{i}_{k}:\n    a: int\n    b: str = ''\n    def total(self) -> int:\n        return self.a + value\n" for k in range(20)))
    with open(os.path.join(one.folder, "value.py"), "w") as f:
        f.write("value: int = 1\n")


def styles(one):
    for i in range(40):
        with open(os.path.join(one.folder, f"m{i}.css"), "w") as f:
            f.write("".join(f".c{i}-{k} {{ color: #{k:03}; margin: {k}px; }}\n" for k in range(200)))


def shell_files(one):
    for i in range(40):
        with open(os.path.join(one.folder, f"m{i}.sh"), "w") as f:
            f.write("#!/bin/sh\n" + "".join(f"f{i}_{k}() {{ echo {k} \"$1\"; }}\n" for k in range(40)))


def java(one):
    for name in ("Work.java", "Classes.java"):
        shutil.copy(os.path.join(HERE, name), one.folder)


def page(one):
    shutil.copy(os.path.join(HERE, "page.html"), one.folder)


def home(one):
    """A home in which an agent has been before: nothing is asked at its start."""
    with open(os.path.join(one.folder, ".claude.json"), "w") as f:
        json.dump({"hasCompletedOnboarding": True, "theme": "dark", "customApiKeyResponses": {"approved": ["none"], "rejected": []}, "projects": {one.folder: {"hasTrustDialogAccepted": True}}}, f)


def compiled(name):
    """Makes a program of its source, as {folder}/its name."""
    def make(one):
        source, made = os.path.join(HERE, name), os.path.join(one.folder, name.split(".")[0])
        commands = {"c": ["gcc", "-O1", "-w", "-o", made, source, "-lm"], "rs": ["rustc", "-O", "--edition", "2021", "-o", made, source],
                    "go": ["go", "build", "-o", made, source], "java": ["javac", "-d", one.folder, source], "erl": ["erlc", "-o", one.folder, source]}
        subprocess.run(commands[name.split(".")[1]], check=True)
    return make


def cluster(one):
    """A PostgreSQL of our own."""
    subprocess.run(["chown", "postgres", one.folder], check=True)
    as_user(one, f"/usr/lib/postgresql/15/bin/initdb -D {one.folder}/d -A trust -N >/dev/null")


def as_user(one, command):
    subprocess.run(["runuser", "-u", "postgres", "--", "sh", "-c", command], check=True)


def mariadb(one):
    """A MariaDB of our own."""
    subprocess.run(["chown", "mysql", one.folder], check=True)
    subprocess.run(["mariadb-install-db", "--user=mysql", f"--datadir={one.folder}/d", "--skip-test-db"], check=True, stdout=subprocess.DEVNULL)


PSQL = ["psql", "-qAt", "-h", "{folder}", "-p", "{port}", "-U", "postgres", "postgres"]
MARIADB = ["mariadb", "--no-defaults", "-uroot", "-S", "{folder}/s"]


def sql(make, client=PSQL):
    """One session that is sent a statement at a time."""
    def load(one):
        time.sleep(4)
        p = subprocess.Popen([word.replace("{folder}", one.folder).replace("{port}", str(one.port)) for word in client],
                             stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
        n = 0
        try:
            while not stopping.is_set():
                n += 1
                p.stdin.write(make(n)); p.stdin.flush()
                time.sleep(random.expovariate(15))
        finally:
            p.kill(); p.wait()
    return load


def visitors(statement, rate):
    """Sessions that come, ask once, and go."""
    def load(one):
        time.sleep(4)
        while not stopping.is_set():
            subprocess.run(["psql", "-qAt", "-h", one.folder, "-p", str(one.port), "-U", "postgres", "-c", statement, "postgres"],
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(random.expovariate(rate))
    return load


def redis(make):
    """A client of redis, ten times a second."""
    def load(one):
        time.sleep(1)
        s = socket.create_connection(("127.0.0.1", one.port)); n = 0
        threading.Thread(target=lambda: [None for _ in iter(lambda: s.recv(65536), b"")], daemon=True).start()
        while not stopping.wait(0.1):
            out = []
            for _ in range(12):
                n += 1
                words = make(n)
                out.append(f"*{len(words)}\r\n" + "".join(f"${len(w)}\r\n{w}\r\n" for w in words))
            s.sendall("".join(out).encode())
    return load


def memcached(one):
    """A client of memcached that stores 120 pages a second."""
    time.sleep(1)
    s = socket.create_connection(("127.0.0.1", one.port)); n = 0
    threading.Thread(target=lambda: [None for _ in iter(lambda: s.recv(65536), b"")], daemon=True).start()
    while not stopping.wait(0.1):
        for _ in range(12):
            n += 1
            size = random.randrange(500, 4000)
            s.sendall(b"set page:%d 0 0 %d\r\n%s\r\n" % (n, size, b"x" * size))


def keys(one):
    """Somebody at a terminal who types, thinks better of it, and types again."""
    threading.Thread(target=lambda: [None for _ in iter(lambda: one.process.stdout.read1(65536), b"")], daemon=True).start()
    while not stopping.wait(random.uniform(0.3, 1.5)):
        text = "explain this folder"[:random.randint(3, 19)]
        for key in text.encode() + b"\x7f" * len(text):
            one.process.stdin.write(bytes([key])); one.process.stdin.flush()
            stopping.wait(0.03)


def lsp(one):
    """An editor that opens a file and types into it: a language server by its protocol on standard input."""
    p, n = one.process, 0
    def send(message):
        body = json.dumps(dict(message, jsonrpc="2.0")).encode()
        p.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body); p.stdin.flush()
    threading.Thread(target=lambda: [None for _ in iter(lambda: p.stdout.read1(65536), b"")], daemon=True).start()
    name = next(x for x in sorted(os.listdir(one.folder)) if x.startswith("m0."))
    uri, text = f"file://{one.folder}/{name}", open(os.path.join(one.folder, name)).read()
    send({"id": 0, "method": "initialize", "params": {"processId": os.getpid(), "rootUri": f"file://{one.folder}", "capabilities": {"workspace": {"configuration": False}}}})
    time.sleep(3)
    send({"method": "initialized", "params": {}})
    send({"method": "textDocument/didOpen", "params": {"textDocument": {"uri": uri, "languageId": LANGUAGES[name.rsplit(".", 1)[1]], "version": 0, "text": text}}})
    while not stopping.wait(random.uniform(1, 4)):
        n += 1
        line = {"py": f"\nx{n} = {n}\n", "sh": f"\nx{n}={n}\n", "css": f"\n.x{n} {{ top: {n}px; }}\n", "ts": f"\nexport const x{n} = {n};\n",
                "c": f"\nint x{n} = {n};\n"}[name.rsplit(".", 1)[1]]
        send({"method": "textDocument/didChange", "params": {"textDocument": {"uri": uri, "version": n}, "contentChanges": [{"text": text + line * (n % 30)}]}})
        for method in ("hover", "completion", "documentSymbol"):
            send({"id": n * 3, "method": f"textDocument/{method}", "params": {"textDocument": {"uri": uri}, "position": {"line": 3 + n % 40, "character": 10}}})


def both(*loads):
    """Several loads at once."""
    def load(one):
        for other in loads[1:]:
            threading.Thread(target=other, args=(one,), daemon=True).start()
        loads[0](one)
    return load


def nothing(_):
    stopping.wait()


def shell(one, text):
    return ["sh", "-c", text]
