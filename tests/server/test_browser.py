"""A page of another origin, in a real browser, gets nothing from a server on the same machine; a
page of an origin on the list does, so that the page's attempts are known to work.

Debian's chromium-headless-shell, which .ci/run installs where it can.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from http_server import HttpServer, http_server

BROWSER = shutil.which("chromium-headless-shell") or shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="Debian's chromium-headless-shell is not installed"),
]

#: tries everything that a page can, and tells its own server what came of it
PAGE = """<!doctype html><body><script>
const there = "TARGET", base = "http://" + there, out = {};
const told = [];
function attempt(name, work) {
  told.push(Promise.race([work(), new Promise(r => setTimeout(() => r("nothing"), 4000))])
    .then(value => { out[name] = value; }, fault => { out[name] = "refused"; }));
}
const json = {"Content-Type": "application/json"};
const insert = name => JSON.stringify({query: `INSERT INTO visits VALUES ('${name}')`});
const answer = async r => r.type + " " + r.status + " " + await r.text();
attempt("get", async () => answer(await fetch(base + "/healthz")));
attempt("post", async () => answer(await fetch(base + "/query",
  {method: "POST", headers: json, body: insert("post")})));
attempt("simple", async () => answer(await fetch(base + "/query",
  {method: "POST", mode: "no-cors", body: insert("simple")})));
attempt("blind", async () => answer(await fetch(base + "/openapi.json", {mode: "no-cors"})));
attempt("beacon", async () => { navigator.sendBeacon(base + "/query",
  new Blob([insert("beacon")], {type: "application/json"})); return "nothing"; });
attempt("socket", () => new Promise((done, fail) => {
  const socket = new WebSocket("ws://" + there + "/v1/wire", "hql.v1");
  socket.onopen = () => done("open"); socket.onerror = fail; }));
function element(kind, set) { return () => new Promise((done, fail) => {
  const made = document.createElement(kind);
  made.onload = () => done("loaded"); made.onerror = fail; set(made);
  document.body.append(made); }); }
attempt("image", element("img", e => { e.src = base + "/healthz"; }));
attempt("script", element("script", e => { e.src = base + "/openapi.json"; }));
attempt("style", element("link", e => { e.rel = "stylesheet"; e.href = base + "/healthz"; }));
const form = document.createElement("form"), frame = document.createElement("iframe");
frame.name = "inside"; document.body.append(frame, form);
form.method = "POST"; form.action = base + "/query"; form.target = "inside";
form.enctype = "text/plain";
const field = document.createElement("input");
field.name = '{"query": "INSERT INTO visits VALUES (\\'form\\')", "branch": "'; field.value = '"}';
form.append(field); form.submit();
Promise.all(told).then(() => fetch("/told", {method: "POST", body: JSON.stringify(out)}));
</script>"""


class Site:
    """A web site with that page. `origin` is how a browser gets there."""

    def __init__(self) -> None:
        self.target = ""
        self.told: dict[str, str] = {}
        self.done = threading.Event()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # noqa: N802 — the library's name
                page = PAGE.replace("TARGET", site.target).encode()
                self._answer(page if self.path == "/" else b"")

            def do_POST(self) -> None:  # noqa: N802
                body = self.rfile.read(int(self.headers["Content-Length"]))
                site.told = json.loads(body)
                self._answer(b"")
                site.done.set()

            def _answer(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://localhost:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def visit(self, folder: Path, host: str, port: int) -> dict[str, str]:
        """What the page found out about a server, in a browser of its own."""
        assert BROWSER is not None
        self.target = f"{host}:{port}"
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        process = subprocess.Popen(
            [BROWSER, *options, f"--user-data-dir={folder}", "--remote-debugging-port=0",
             self.origin + "/"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        try:
            assert self.done.wait(90), "the page told nothing"
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # Debian's command is a script around it
            process.wait()
            self.http.shutdown()
            self.http.server_close()
        return self.told


def visits(server: HttpServer) -> set[str]:
    return {row[0] for row in server.query("SELECT way FROM visits")["results"][0]["rows"]}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_page_of_another_origin_gets_nothing(tmp_path: Path, host: str) -> None:
    """127.0.0.1 is another site than localhost, where the page is; localhost another origin."""
    with http_server() as server:
        server.query("CREATE TABLE visits (way NVARCHAR)")
        told = Site().visit(tmp_path, host, server.port)
        assert visits(server) == set()
    # an opaque answer is one of which the page sees nothing, not even the status
    nothing = {"refused", "nothing", "opaque 0 "}
    assert len(told) == 9
    assert {name: said for name, said in told.items() if said not in nothing} == {}


def test_a_page_of_an_origin_on_the_list_does(tmp_path: Path) -> None:
    site = Site()
    with http_server(origins=(site.origin,)) as server:
        server.query("CREATE TABLE visits (way NVARCHAR)")
        told = site.visit(tmp_path, "127.0.0.1", server.port)
        assert visits(server) in ({"post"}, {"post", "beacon"})
    assert told["get"] == 'cors 200 {"status": "ok"}'
    assert told["post"].startswith("cors 200 ")
    assert told["socket"] == "open"
