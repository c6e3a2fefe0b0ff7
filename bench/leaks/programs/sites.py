"""Sites in Python: `sites.py flask PORT ok|cache|events` below requests, and `sites.py django 0 queries|signals`, a
worker with an ORM's connection in its debug mode, and `sites.py sqlalchemy 0 rows|pending`, one whose session is
closed in time or not. `events`, `signals` and `pending` leak."""
import functools, random, sys, time

framework, port, kind = sys.argv[1:]
random.seed(7)


def flask():
    from flask import Flask, render_template_string, request
    app, events = Flask(__name__), []
    template = "<table>{% for row in rows %}<tr><td>{{ row }}<td>{{ row * n }}</tr>{% endfor %}</table>"

    @functools.lru_cache(maxsize=2500)             # full after some three minutes
    def remembered(n):
        return page(n)

    def page(n):
        return render_template_string(template, rows=range(500), n=n)

    @app.get("/")
    def answer():
        n = int(time.monotonic() * 1e6)
        text = remembered(n) if kind == "cache" else page(n)
        if kind == "events":
            events.append((request.environ, text + " "))
        return text

    app.run(port=int(port), threaded=True)


def django():
    from django.conf import settings
    settings.configure(DEBUG=True, DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})
    import django
    django.setup()
    from django.db import connection
    from django.dispatch import Signal
    stored = Signal()
    connection.ensure_connection()
    if kind == "signals":
        connection.force_debug_cursor = settings.DEBUG = False
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE note (id integer primary key, body text)")
        for n in range(10**9):
            body = "word %d " % n * random.randrange(100, 600)
            cursor.execute("INSERT OR REPLACE INTO note VALUES (%s, %s)", [n % 200, body])
            cursor.execute("SELECT max(body) FROM note WHERE id = %s", [n % 200])
            if kind == "signals":                  # a receiver for each note, which nobody takes away
                stored.connect(lambda sender, body=body, **rest: len(body), weak=False)
            time.sleep(random.expovariate(25 if kind == "queries" else 60))


def sqlalchemy():
    from sqlalchemy import create_engine, select
    from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

    class Base(DeclarativeBase):
        pass

    class Note(Base):
        __tablename__ = "note"
        id: Mapped[int] = mapped_column(primary_key=True)
        body: Mapped[str]

    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    session = Session(engine, autoflush=False)
    for n in range(10**9):
        session.add_all([Note(id=n % 1000 * 20 + i, body="word %d " % n * random.randrange(10, 60)) for i in range(20)])
        session.scalars(select(Note).limit(50)).all()
        if kind == "rows":
            session.rollback()
        time.sleep(random.expovariate(8))


{"flask": flask, "django": django, "sqlalchemy": sqlalchemy}[framework]()
