"""Invented histories of Codex CLI, Gemini CLI and opencode, with their truth: what each really spent is
added up when it is made up, before anything is written. Nothing here reads what was written."""

import json
import os
import shutil
import sqlite3
import time

# Nano-dollars a token: input, output, cache read, cache write of unknown time; the same beyond so many
# tokens of a prompt.
RATES = {
    "gpt-5.5": ((5_000, 30_000, 500, None), 272_000, (10_000, 45_000, 1_000, None)),
    "gpt-5.6": ((4_000, 20_000, 400, 5_000), 272_000, (8_000, 30_000, 800, 10_000)),
    "gemini-2.5-flash": ((300, 2_500, 30, None), None, None),
    "gemini-2.5-pro": ((1_250, 10_000, 125, None), 200_000, (2_500, 15_000, 250, None)),
    "claude-sonnet-5": ((2_000, 10_000, 200, 2_500), None, None),
}
TEXT = "some words, a \"quoted\" one, \u00e9, \\ and \"tokens\": 7, \"token_count\" {null}. "


def dump(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + ".%03dZ" % (seconds * 1000 % 1000)


class Dialect:
    """Mixed into the corpus, which has the files, the chance and the sums."""

    def spend(self, model, fresh, output, read, written=0):
        low, limit, high = RATES[model]
        rates = high if limit and fresh + read + written > limit else low
        for kind, count, rate in zip(("input", "output", "cache_read", "cache_write"), (fresh, output, read, written), rates):
            self.truth[kind] += count
            self.truth["cost_nano_usd"] += count * (rate or 0)
        self.truth["responses"] += 1

    def words(self, most):
        return TEXT * (self.random.randrange(most) // len(TEXT))

    def write(self, one_file):
        number = 0
        while self.written < self.total:
            number += 1
            self.session(number)
        self.close()
        return {"totals": self.truth, "bytes": self.written, "lines": self.lines, "files": len(self.paths),
                "sessions": number, "traps": dict(sorted(self.traps.items()))}


class Codex(Dialect):
    """Cumulative totals that are told again, forks and subagents that begin with rows of their parent."""

    def thread(self, number, at, timed):
        low = f"{number:012x}"
        if timed:
            ms = f"{int(at * 1000):012x}"
            return f"{ms[:8]}-{ms[8:]}-7000-8000-{low}"
        return f"{number * 2654435761 % 2**32:08x}-0000-4000-8000-{low}"

    def row(self, at, kind, payload):
        self.usage_lines += kind == "event_msg"
        return dump({"timestamp": stamp(at), "type": kind, "payload": payload})

    def count(self, at, total, last):
        def shown(vector):
            names = ("input_tokens", "cached_input_tokens", "cache_write_input_tokens", "output_tokens", "reasoning_output_tokens")
            found = dict(zip(names, vector))
            if not found["cache_write_input_tokens"] and self.one_in(2):
                del found["cache_write_input_tokens"]
            return found | {"total_tokens": vector[0] + vector[3]}

        info = {"total_token_usage": shown(total), "last_token_usage": last and shown(last), "model_context_window": 258_400}
        limits = {"primary": {"used_percent": 3.0, "window_minutes": 300}} if self.one_in(3) else None
        return self.row(at, "event_msg", {"type": "token_count", "info": info, "rate_limits": limits})

    def put_row(self, thread, line):
        if self.one_in(300):
            self.append(thread["path"], line[: len(line) // 3])
            self.trap("torn rows")
        self.put(thread["path"], line)

    def keep(self, thread, line):
        self.put_row(thread, line)
        thread["rows"].append(line)

    def turn(self, thread):
        r = self.random
        at = thread["at"] = thread["at"] + r.randrange(1, 40)
        model = r.choice(["gpt-5.5", "gpt-5.6"])
        self.turns += 1
        turn = self.thread(10**6 + self.turns, at, True) if thread["timed"] else f"turn-{self.turns}"
        self.keep(thread, self.row(at, "turn_context", {"turn_id": turn, "model": model, "cwd": "/src/x"}))
        if self.one_in(2):
            self.keep(thread, self.row(at, "event_msg", {"type": "task_started", "turn_id": turn}))
        self.put_row(thread, self.row(at, "event_msg", {"type": "user_message", "message": self.words(300) or "go on"}))
        for _ in range(r.randrange(1, 5)):
            self.response(thread, model)

    def response(self, thread, model):
        r = self.random
        at = thread["at"] = thread["at"] + r.randrange(1, 20)
        self.put_row(thread, self.row(at, "response_item", {"type": "message", "role": "assistant", "content": [
            {"type": "output_text", "text": self.words(4_000)}]}))
        prompt = r.randrange(1, 300_000)
        cached = r.randrange(prompt)
        written = r.randrange(prompt - cached) if model == "gpt-5.6" and self.one_in(2) else 0
        output = r.randrange(1, 3_000)
        last = (prompt, cached, written, output, r.randrange(output))
        before = thread["total"]
        if self.one_in(40) and before[3] > 100 * output and sum(before[::3]) > 2 * (prompt + output):
            # The window was emptied, and the sums begin anew.
            self.keep(thread, self.row(at, "compacted", {"message": "so far"}))
            before = (0, 0, 0, 0, 0)
            self.trap("sums that begin anew")
        total = tuple(a + b for a, b in zip(before, last))
        anew = before != thread["total"]
        untold = self.one_in(20) and not anew
        self.keep(thread, self.count(at, total, None if untold else last))
        if untold:
            self.trap("nulls for the last response")
        thread["total"] = total
        self.spend(model, prompt - cached - written, output, cached, written)
        if self.one_in(2):
            self.put_row(thread, self.count(at + 0.4, total, last))
            self.trap("totals told again")
        if self.one_in(10):
            self.put_row(thread, self.row(at, "event_msg", {"type": "token_count", "info": None, "rate_limits": None}))
            self.trap("null infos")
        if self.one_in(30) and total[0] > 100_000 and not anew:
            stale = (total[0] - 1,) + total[1:]
            self.put_row(thread, self.count(at, stale, last))
            self.put_row(thread, self.count(at, total, last))
            self.trap("old snapshots")

    def begin(self, number, at, timed, folder="sessions", **head):
        ident = self.thread(number, at, timed)
        day = time.strftime("%Y/%m/%d", time.gmtime(at))
        name = time.strftime("rollout-%Y-%m-%dT%H-%M-%S-", time.gmtime(at)) + ident
        thread = {"id": ident, "path": f"{folder}/{day}/{name}.jsonl", "rows": [], "at": at, "timed": timed, "total": (0, 0, 0, 0, 0)}
        thread["head"] = self.row(at, "session_meta", {"id": ident, "cwd": "/src/x", "model_provider": "openai"} | head)
        self.put_row(thread, thread["head"])
        return thread

    def child(self, parent, number, **head):
        """A thread that begins with all rows of its parent."""
        at = parent["at"] + 60
        own = self.begin(number, at, parent["timed"], **head)
        rows = [parent["head"], *parent["rows"]]
        spread = not parent["timed"] and self.one_in(2)
        for place, line in enumerate(rows):
            copied = json.loads(line)
            # All at once; or, where no id tells of the time, as if somebody had waited for answers.
            at += 1.5 if spread else 0.001
            copied["timestamp"] = stamp(at if self.stamps_anew or spread else own["at"] + place / 1000)
            self.put(own["path"], dump(copied))
        own |= {"at": at, "total": parent["total"]}
        for _ in range(self.random.randrange(1, 6)):
            self.turn(own)
        return own

    def session(self, number):
        r = self.random
        at, timed = 1_790_900_000 + number * 977, not self.one_in(4)
        self.stamps_anew = self.one_in(2)
        main = self.begin(10 * number, at, timed)
        for _ in range(r.randrange(3, 25)):
            self.turn(main)
        if self.one_in(4):
            self.child(main, 10 * number + 1, forked_from_id=main["id"])
            self.trap("forks" if timed else "forks whose ids tell no time")
        if self.one_in(4) and timed:
            spawn = {"source": {"subagent": {"thread_spawn": {"parent_thread_id": main["id"]}}}}
            self.child(main, 10 * number + 2, forked_from_id=main["id"], **spawn)
            self.trap("subagents")
        if self.one_in(10):
            self.append(main["path"], self.count(main["at"], (9, 9, 0, 9, 0), None)[:-30])
            self.trap("partial tails")
        if self.one_in(10):
            moved = main["path"].replace("sessions/", "archived_sessions/", 1)
            os.makedirs(os.path.dirname(os.path.join(self.folder, moved)), exist_ok=True)
            shutil.copy(os.path.join(self.folder, main["path"]), os.path.join(self.folder, moved))
            self.trap("archived copies")


class Gemini(Dialect):
    """Messages that are written again under their id, whole documents, files that are replaced."""

    def session(self, number):
        r = self.random
        chat = {"id": f"g-{number:06d}", "at": 1_790_900_000 + number * 977, "lines": [], "side": False}
        folder = f"tmp/{number % 13:064x}/chats"
        path = f"{folder}/session-{number}.jsonl"
        if self.one_in(6):
            self.document(chat, f"{folder}/session-{number}.json")
        self.put(path, dump({"sessionId": chat["id"], "projectHash": "abc", "directories": ["/src/x"]}))
        for line in chat["lines"]:
            self.put(path, line)
        for _ in range(r.randrange(5, 60)):
            self.message(chat, path)
        if self.one_in(8):
            self.replace(path)
            for _ in range(3):
                self.message(chat, path)
        if self.one_in(5):
            side = {"id": f"g-{number:06d}-side", "at": chat["at"], "lines": [], "side": True}
            below = f"{folder}/{chat['id']}/sub.jsonl"
            self.put(below, dump({"sessionId": side["id"], "kind": "subagent", "projectHash": "abc"}))
            for _ in range(r.randrange(1, 9)):
                self.message(side, below)
            self.trap("subagents")
        if self.one_in(10):
            line = self.final(chat, "never", "gemini-2.5-pro", dict(input=9, output=9))
            self.append(path, line[: len(line) - 20])
            self.trap("partial tails")

    def figures(self, model):
        r = self.random
        prompt = r.randrange(1, 250_000)
        cached = r.choice([0, None, r.randrange(prompt)])
        thoughts, tool = r.choice([0, None, r.randrange(900)]), r.choice([0, None, r.randrange(50)])
        output = r.randrange(1, 2_000)
        for name, value in (("cached", cached), ("thoughts", thoughts), ("tool", tool)):
            if value is None:
                self.trap(f"nulls for {name}")
        return dict(input=prompt, output=output, cached=cached, thoughts=thoughts, tool=tool,
                    total=prompt + output + (thoughts or 0) + (tool or 0))

    def final(self, chat, ident, model, tokens):
        self.usage_lines += 1
        return dump({"id": ident, "type": "gemini", "timestamp": stamp(chat["at"]), "model": model,
                     "content": [{"text": self.words(2_500)}], "tokens": tokens})

    def answer(self, chat):
        """A message of the model, and the lines that tell of it."""
        self.ids += 1
        chat["at"] += self.random.randrange(1, 40)
        ident, model = f"m{self.ids}", self.random.choice(["gemini-2.5-pro", "gemini-2.5-flash"])
        tokens = self.figures(model)
        cached, thoughts, tool = (tokens[name] or 0 for name in ("cached", "thoughts", "tool"))
        self.spend(model, tokens["input"] - cached + tool, tokens["output"] + thoughts, cached)
        lines = [self.final(chat, ident, model, tokens)]
        if self.one_in(2):
            lines.insert(0, self.final(chat, ident, model, None))
            self.trap("messages before their tokens")
        if self.one_in(4):
            lines.insert(-1, self.final(chat, ident, model, tokens | {"output": 1, "thoughts": None}))
            self.trap("messages that grow")
        if self.one_in(6):
            lines.append(lines[-1])
            self.trap("messages written again")
        return ident, lines

    def message(self, chat, path):
        self.put(path, dump({"id": f"u{self.ids}-{self.lines}", "type": "user", "timestamp": stamp(chat["at"]), "content": self.words(500) or "go"}))
        ident, lines = self.answer(chat)
        if self.one_in(200):
            self.append(path, lines[-1][: len(lines[-1]) // 3])
            self.trap("torn lines")
        # At once, as the agent writes it: a line that comes seconds later is a correction by intent.
        self.lines += len(lines)
        self.append(path, b"".join(line + b"\n" for line in lines))
        if self.one_in(15):
            self.put(path, dump({"$rewindTo": ident}))
            self.trap("rewinds, which were billed")
        if self.one_in(15):
            self.put(path, dump({"$set": {"messages": [json.loads(lines[-1])]}}))
            self.trap("messages in a change of the head")

    def place(self, path, data):
        """Puts a whole file in the place of what is there."""
        whole = os.path.join(self.folder, path)
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        with open(whole + ".tmp", "wb") as file:
            file.write(data)
        os.rename(whole + ".tmp", whole)
        self.paths.add(path)

    def document(self, chat, path):
        """An older chat, written anew with each message, and gone on with as lines later."""
        for _ in range(self.random.randrange(1, 6)):
            chat["lines"].append(self.answer(chat)[1][-1])
            messages = [json.loads(line) for line in chat["lines"]]
            whole = {"sessionId": chat["id"], "projectHash": "abc", "messages": messages}
            self.place(path, json.dumps(whole, indent=self.random.choice([None, 2])).encode())
            self.written += len(chat["lines"][-1])
        self.trap("documents that became lines")

    def replace(self, path):
        self.files.pop(path).close()
        with open(os.path.join(self.folder, path), "rb") as file:
            self.place(path, file.read())
        self.trap("files replaced by themselves")


class Opencode(Dialect):
    """Rows of a database that is written to meanwhile, forks with new ids, a file for each message."""

    def database(self):
        if getattr(self, "db", None) is None:
            os.makedirs(self.folder, exist_ok=True)
            self.db = sqlite3.connect(os.path.join(self.folder, "opencode.db"), isolation_level=None)
            self.db.execute("PRAGMA journal_mode = WAL")
            self.db.execute("CREATE TABLE message (id TEXT PRIMARY KEY, session_id TEXT, time_created INTEGER, time_updated INTEGER, data TEXT)")
            self.db.execute("CREATE TABLE part (id TEXT PRIMARY KEY, message_id TEXT, session_id TEXT, data TEXT)")
            self.paths.add("opencode.db")
        return self.db

    def message(self, created, tokens, model, done):
        shown = dict(tokens)
        time_of = {"created": created}
        if done:
            time_of["completed"] = created + 5_000
        return {"role": "assistant", "modelID": model, "providerID": "anthropic" if "claude" in model else "openai", "cost": 0,
                "path": {"cwd": "/src/x", "root": "/src"}, "time": time_of, "tokens": shown, "error": None}

    def keep(self, ident, session, data, legacy):
        now = int(time.time() * 1000)
        if legacy:
            path = f"storage/message/{session}/{ident}.json"
            whole = os.path.join(self.folder, path)
            os.makedirs(os.path.dirname(whole), exist_ok=True)
            with open(whole + ".tmp", "wb") as file:
                file.write(dump(data | {"id": ident, "sessionID": session}))
            os.rename(whole + ".tmp", whole)
            self.paths.add(path)
        else:
            text = json.dumps(data)
            self.database().execute("INSERT INTO message VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (id) DO UPDATE SET time_updated = ?4, data = ?5",
                                    (ident, session, data["time"]["created"], now, text))
        size = len(json.dumps(data))
        self.written += size
        self.lines += 1
        if self.pace:
            ahead = self.written / (self.pace * 1e6) - (time.monotonic() - self.started)
            if ahead > 0.02:
                time.sleep(ahead)

    def response(self, session, legacy):
        r = self.random
        self.ids += 1
        self.clock += r.randrange(1, 40_000)
        model = r.choice(["claude-sonnet-5", "gpt-5.5"])
        reasoning = r.choice([0, None, r.randrange(500)])
        written = r.choice([0, None, r.randrange(9_000)]) if "claude" in model else 0
        read, fresh, output = r.randrange(200_000), r.randrange(1, 60_000), r.randrange(1, 3_000)
        tokens = {"input": fresh, "output": output, "reasoning": reasoning, "cache": {"read": read, "write": written}}
        if None in (reasoning, written):
            self.trap("nulls")
        ident = f"msg_{self.ids:08d}"
        nothing = {"input": 0, "output": 0, "reasoning": 0, "cache": {"read": 0, "write": 0}}
        if self.one_in(2):
            self.keep(ident, session, self.message(self.clock, nothing, model, False), legacy)
            self.trap("messages before their tokens")
        done = self.message(self.clock, tokens, model, True) | {"text": self.words(3_000)}
        self.keep(ident, session, done, legacy)
        if self.one_in(5):
            # Written once more with nothing new.
            self.keep(ident, session, done | {"error": {}}, legacy)
            self.trap("messages written again")
        self.spend(model, fresh, output + (reasoning or 0), read, written or 0)
        return ident, done

    def session(self, number):
        r = self.random
        self.clock = 1_790_900_000_000 + number * 977_000
        session, legacy = f"ses_{number:06d}", self.one_in(5)
        told = []
        for _ in range(r.randrange(5, 60)):
            user = {"role": "user", "time": {"created": self.clock}, "tokens": None}
            self.keep(f"msg_u{self.lines:08d}", session, user, legacy)
            told.append(self.response(session, legacy))
        if legacy:
            self.trap("sessions of a file for each message")
        if self.one_in(4):
            fork = f"ses_{number:06d}f"
            for ident, data in told[: r.randrange(1, len(told) + 1)]:
                self.keep(f"{ident}f", fork, data, legacy and self.one_in(2))
            self.response(fork, False)
            self.trap("forks with new ids")
        if self.one_in(20):
            self.database()
            copy = os.path.join(self.folder, "opencode-old.db")
            with sqlite3.connect(copy) as old:
                self.db.backup(old)
            old.close()
            self.trap("backups beside the database")

    def write(self, one_file):
        found = super().write(one_file)
        if getattr(self, "db", None):
            self.db.close()
        return found


DIALECTS = {"codex": Codex, "gemini": Gemini, "opencode": Opencode}
