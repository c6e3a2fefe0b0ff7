"""The application of uvicorn and of gunicorn: KIND=ok|list|lru|cycles says what it keeps."""
import functools, json, os

KIND = os.environ.get("KIND", "ok")
kept = []
n = 0


@functools.lru_cache(maxsize=3000)
def page(key):
    return json.dumps([{"id": key * 100 + i, "name": f"row {i}"} for i in range(120)])


@functools.cache
def forever(key):
    return json.dumps([{"id": key * 100 + i, "name": f"row {i}"} for i in range(120)])


class Node:
    def __init__(self, text):
        self.text, self.me = text, self


def answer():
    global n
    n += 1
    text = page.__wrapped__(n)
    if KIND == "list":
        kept.append({"request": n, "body": text + " "})
    if KIND == "lru":
        text = page(n)
    if KIND == "forever":
        text = forever(n)
    if KIND == "cycles":
        for i in range(20):
            Node(text + str(i))
    return text.encode()


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": answer()})


def wsgi(environ, start_response):
    start_response("200 OK", [])
    return [answer()]
