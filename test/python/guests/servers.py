"""What answers requests."""

from __future__ import annotations

import signal

from guest import LIBRARY, Program, Session

FLASK = """
from flask import Flask
app = Flask(__name__)

@app.route("/items/<int:item>")
def item(item):
    return {"id": item}

@app.route("/wrong")
def wrong():
    raise ValueError("no")
"""
INSTRUMENTED = """
if "WITH_SDK" in os.environ:
    from opentelemetry.instrumentation.flask import FlaskInstrumentor
    FlaskInstrumentor().instrument_app(app)
"""
FLASK_PACKAGES = ["flask>=3", "opentelemetry-instrumentation-flask"]
FLASK_SCOPE = "opentelemetry.instrumentation.flask"
FASTAPI = """
from contextlib import asynccontextmanager
from fastapi import FastAPI

@asynccontextmanager
async def lifespan(app):
    yield
    print("closed", flush=True)

app = FastAPI(lifespan=lifespan)

@app.get("/items/{item}")
async def item(item: int):
    return {"id": item}
"""
FASTAPI_PACKAGES = ["fastapi", "opentelemetry-instrumentation-fastapi"]
FASTAPI_SCOPE = "opentelemetry.instrumentation.fastapi"
TORNADO = """
import asyncio, signal, sys
import tornado.web

class Item(tornado.web.RequestHandler):
    def get(self, item):
        self.write({"id": item})

async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    tornado.web.Application([(r"/items/(.*)", Item)]).listen(int(sys.argv[1]), "127.0.0.1")
    await stop.wait()
    print("closed")

asyncio.run(main())
"""
DJANGO = {
    "settings_of_one.py": "SECRET_KEY = 'x'\nROOT_URLCONF = 'urls_of_one'\nALLOWED_HOSTS = ['*']\nMIDDLEWARE = []\n",
    "urls_of_one.py": """
from django.http import JsonResponse
from django.urls import path
urlpatterns = [path("items/<int:item>", lambda request, item: JsonResponse({"id": item}))]
""",
    "manage.py": """
import os, sys
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
""",
}


def asked(*paths: str, end: int = signal.SIGTERM, says: str = ""):
    """Ask for the paths, then end the server as a supervisor does, once it has said what it says of the last."""

    def drive(session: Session) -> None:
        for path in paths:
            session.get(path)
        session.until(says)
        session.kept()
        session.end(end)

    return drive


BOTH = asked("/items/7", "/none")


def two_workers(session: Session) -> None:
    session.until(r"(?s)startup complete.*startup complete")
    BOTH(session)


def of_two(ready: str):
    """Ask a server when each of its two workers is ready, as it says: one that still starts may not hear the end."""

    def drive(session: Session) -> None:
        session.until(f"(?s){ready}.*{ready}")
        asked(*(f"/items/{n}" for n in range(8)))(session)

    return drive


TWO_OF_GUNICORN = of_two("Booting worker")


GUNICORN = ["gunicorn>=23", *FLASK_PACKAGES]
# A worker that is told to end before it listens to signals does not hear it.
GUNICORN_COMMAND = ["gunicorn", "--bind=127.0.0.1:{port}", "--graceful-timeout=20", "--workers=2", "app:app"]

SERVERS = [
    Program(
        "flask",
        FLASK_PACKAGES,
        {"app.py": FLASK},
        ["flask", "run", "--port={port}"],
        drive=asked("/items/7", "/wrong", "/none", end=signal.SIGINT),
        scopes={FLASK_SCOPE},
        least=3,
    ),
    Program(
        "flask under waitress",
        ["waitress", *FLASK_PACKAGES],
        {"app.py": FLASK},
        ["waitress-serve", "--listen=127.0.0.1:{port}", "app:app"],
        drive=asked("/items/7", "/none", end=signal.SIGINT),
        scopes={FLASK_SCOPE},
        least=2,
    ),
    Program(
        "tornado",
        ["tornado", "opentelemetry-instrumentation-tornado"],
        {"app.py": TORNADO},
        ["python", "app.py", "{port}"],
        drive=BOTH,
        scopes={"opentelemetry.instrumentation.tornado"},
        least=2,
    ),
    Program(
        "django",
        ["django>=5", "opentelemetry-instrumentation-django"],
        DJANGO,
        ["python", "manage.py", "runserver", "--noreload", "127.0.0.1:{port}"],
        env={"DJANGO_SETTINGS_MODULE": "settings_of_one"},
        # Its log line of a request comes after the answer.
        drive=asked("/items/7", "/none", end=signal.SIGINT, says="GET /none"),
        scopes={"opentelemetry.instrumentation.django"},
        least=2,
    ),
    Program(
        "fastapi under uvicorn",
        [*FASTAPI_PACKAGES, "uvicorn"],
        {"app.py": FASTAPI},
        ["uvicorn", "app:app", "--port={port}"],
        drive=BOTH,
        scopes={FASTAPI_SCOPE},
        least=2,
    ),
    Program(
        "fastapi under uvicorn, two workers",
        [*FASTAPI_PACKAGES, "uvicorn"],
        {"app.py": FASTAPI},
        # A worker that a busy machine lets wait for five seconds is not to be started anew.
        ["uvicorn", "app:app", "--port={port}", "--workers=2", "--timeout-worker-healthcheck=60"],
        drive=two_workers,
        scopes={FASTAPI_SCOPE},
        least=2,
        unordered=True,
        # Said as often as it has to wait.
        steady=[(r"^.*Waiting for child.*$", "")],
    ),
    Program(
        "fastapi under hypercorn",
        [*FASTAPI_PACKAGES, "hypercorn"],
        {"app.py": FASTAPI},
        ["hypercorn", "app:app", "--bind=127.0.0.1:{port}"],
        drive=BOTH,
        scopes={FASTAPI_SCOPE},
        least=2,
    ),
    Program(
        "gunicorn, sync",
        GUNICORN,
        {"app.py": FLASK},
        GUNICORN_COMMAND,
        drive=TWO_OF_GUNICORN,
        scopes={FLASK_SCOPE},
        least=8,
        unordered=True,
    ),
    Program(
        "gunicorn, gthread, preloaded",
        GUNICORN,
        {"app.py": FLASK},
        [*GUNICORN_COMMAND, "--worker-class=gthread", "--threads=4", "--preload"],
        drive=TWO_OF_GUNICORN,
        scopes={FLASK_SCOPE},
        least=8,
        unordered=True,
    ),
    Program(
        "gunicorn, gevent",
        [*GUNICORN, "gevent>=24"],
        # Not by the zero-code entry, whatever exporter: threads of the SDK run before gevent replaces them; where the
        # entry replaces them first (its variable GEVENT_PATCH), each of them fails with a KeyError at the end.
        {"app.py": FLASK + LIBRARY + INSTRUMENTED},
        [*GUNICORN_COMMAND, "--worker-class=gevent"],
        zero_code=False,
        drive=TWO_OF_GUNICORN,
        scopes={FLASK_SCOPE},
        least=8,
        unordered=True,
    ),
    Program(
        "uwsgi",
        ["pyuwsgi", *FLASK_PACKAGES],
        # Not by the zero-code entry, whatever exporter: uwsgi forks in C, beside the threads the SDK has by then.
        {"app.py": FLASK + LIBRARY + INSTRUMENTED},
        ["uwsgi", "--http-socket=127.0.0.1:{port}", "--master", "--processes=2", "--enable-threads", "--die-on-term",
         "--wsgi=app:app", "--disable-logging", "--need-app", "--lazy-apps"],
        zero_code=False,
        drive=of_two("WSGI app 0"),
        scopes={FLASK_SCOPE},
        least=8,
        unordered=True,
        steady=[(r" fd \d+", ""), (r"buried after .*", "buried")],
    ),
    Program(
        "aiohttp",
        ["aiohttp", "opentelemetry-instrumentation-aiohttp-server"],
        {
            "app.py": """
import sys
from aiohttp import web

async def item(request):
    return web.json_response({"id": request.match_info["item"]})

app = web.Application()
app.add_routes([web.get("/items/{item}", item)])
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
print("closed")
"""
        },
        ["python", "app.py", "{port}"],
        drive=BOTH,
        scopes={"opentelemetry.instrumentation.aiohttp_server"},
        least=2,
    ),
]  # fmt: skip
