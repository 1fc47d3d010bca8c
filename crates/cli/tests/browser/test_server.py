"""Who may use the server, what it refuses, and how it ends."""

import json
import re
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from conftest import PROGRAM, Server
from playwright.sync_api import expect

QUESTION = {"formula": "(w*x+b)^2", "inputs": {"w": 2, "x": 3, "b": 1}, "drawing": False}


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "[::1]:{port}"])
def test_its_own_names_are_let_in(server, host):
    host = host.format(port=server.port)
    for headers in ({"Host": host}, {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}):
        status, run = server.post("/api/chain", QUESTION, headers)
        assert status == 200 and run["value"] == 49


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rebound.example"},
        {"Host": "rebound.example:{port}"},
        {"Host": "127.0.0.1"},
        {"Host": "127.0.0.1:1"},
        {"Host": "127.0.0.1:{port}.rebound.example"},
        {"Host": ""},
        {"Origin": "http://rebound.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://localhost:{port}"},  # the same machine by another name is another origin
        {"Origin": "https://127.0.0.1:{port}"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_strangers_are_not(server, headers):
    headers = {name: value.format(port=server.port) for name, value in headers.items()}
    status, answer = server.post("/api/chain", QUESTION, headers)
    assert status == 403 and "value" not in answer


def test_a_request_without_host_is_refused(server):
    connection = server.connect()
    connection.putrequest("GET", "/", skip_host=True)
    connection.endheaders()
    assert connection.getresponse().status in (400, 403)


def test_only_json_is_read(server):
    """A foreign page can send a form or plain text without asking first, so these are not read at all."""
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        assert server.post("/api/chain", QUESTION, {"Content-Type": kind})[0] == 415
    for body in ("", "{", "[]", '{"formula": 7}', '{"formula": "x", "inputs": {"x": 1e999}, "drawing": false}'):
        status, answer = server.post("/api/chain", body)
        assert status == 400 and answer["error"], body


def test_every_reply_has_the_policy(server):
    for path in ("/", "/main.js", "/nothing", "/api/chain"):
        connection = server.connect()
        connection.request("GET", path)
        reply = connection.getresponse()
        policy = reply.getheader("Content-Security-Policy")
        assert "default-src 'none'" in policy and "unsafe" not in policy, path
        assert reply.getheader("X-Content-Type-Options") == "nosniff"
        assert reply.getheader("X-Frame-Options") == "DENY"


def test_a_page_under_a_name_pointed_at_this_machine_gets_nothing(browser, server):
    context = browser.new_context()
    page = context.new_page()
    reply = page.goto(f"http://rebound.example:{server.port}/")
    assert reply.status == 403
    assert page.locator("main").count() == 0
    context.close()


def test_a_foreign_page_cannot_drive_the_server(browser, server):
    class Foreign(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()

        def log_message(self, *_):
            pass

    foreign = ThreadingHTTPServer(("127.0.0.1", 0), Foreign)
    threading.Thread(target=foreign.serve_forever, daemon=True).start()
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{foreign.server_port}/")
    attempt = """async ([url, mode, kind]) => {
        try {
            const body = '{"formula":"x","inputs":{},"drawing":false}';
            await fetch(url, {method: "POST", mode, headers: {"Content-Type": kind}, body});
            return "answered";
        } catch (error) { return "refused"; }
    }"""
    url = f"{server.url}/api/chain"
    assert page.evaluate(attempt, [url, "cors", "application/json"]) == "refused"
    assert page.evaluate(attempt, [url, "cors", "text/plain"]) == "refused"
    assert page.evaluate(attempt, [url, "no-cors", "text/plain"]) == "refused"
    assert page.evaluate("url => new Promise(done => { const frame = document.createElement('iframe');"
                         "frame.onload = () => done(frame.contentDocument === null); frame.src = url;"
                         "document.body.append(frame); })", server.url)
    assert page.frames[-1].locator("main").count() == 0
    context.close()
    foreign.shutdown()


def test_too_large_is_refused(server):
    million = "1+" * 500_000 + "1"
    status, answer = server.post("/api/chain", {**QUESTION, "formula": million})
    assert status == 413 and answer["field"] == "formula" and "1000001 characters" in answer["error"]
    status, answer = server.post("/api/chain", {**QUESTION, "formula": "+".join(["x"] * 300)})
    assert status == 413 and answer["field"] == "formula" and "300 nodes" in answer["error"]
    status, answer = server.post("/api/chain", " " * (2 * 2**20 + 1))
    assert status == 413 and answer["error"]
    for formula in ("(" * 4000, "-" * 3999 + "x", "x^" * 1999 + "x", "\0", "\u202ex", "1e400", "𝒙" * 500):
        status, _ = server.post("/api/chain", {**QUESTION, "formula": formula})
        assert status in (200, 400, 413), formula[:9]


def test_a_formula_of_a_million_characters_on_the_page(page, watch):
    watch.expect("status of 413")
    expect(page.locator(".result")).to_have_text("= 49")
    page.get_by_label("f =", exact=True).fill("1+" * 500_000 + "1")
    expect(page.locator("#chain .error")).to_have_text(re.compile("at most 4000"))
    page.get_by_label("f =", exact=True).fill("x + 1")
    expect(page.locator(".result")).to_have_text("= 4")


@pytest.mark.parametrize(
    "formula", ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", 'x" onload="alert(1)', "x + </svg>"]
)
def test_markup_in_a_formula_stays_text(page, watch, formula):
    watch.expect("status of 400")
    expect(page.locator(".result")).to_have_text("= 49")
    page.get_by_label("f =", exact=True).fill(formula)
    expect(page.locator("#chain .error")).to_contain_text("expected")
    assert page.locator("#chain script, #chain img").count() == 0


def test_markup_in_the_address_stays_text(open_page, watch):
    watch.expect("status of 400")
    page = open_page("#chain?formula=%3Cscript%3Ealert(1)%3C%2Fscript%3E&in.%3Cb%3E=1&speed=%3Cb%3E&step=NaN")
    expect(page.locator("#chain .error")).to_contain_text("expected")
    other = open_page("#%3Cscript%3E?x=1&formula=x")
    expect(other.locator(".result")).to_be_visible()
    odd = open_page("#chain?formula=x&in.x=1e999&step=-5&speed=1e9")
    expect(odd.locator(".result")).to_have_text("= 2")
    expect(odd.locator(".counter")).to_have_text(re.compile("^0 /"))


def test_an_export_cannot_be_broken_out_of(browser, server, watch, tmp_path):
    """A name of letters that mean something to HTML is refused by the formula; what is kept is escaped all the same."""
    connection = server.connect()
    connection.request("GET", "/api/chain/export?formula=x%3Cscript%3E&inputs=%7B%7D")
    assert connection.getresponse().status == 400
    connection = server.connect()
    connection.request("GET", "/api/chain/export?formula=%20x%2B1&inputs=%7B%22%3C%2Fscript%3E%22%3A1%7D")
    reply = connection.getresponse()
    assert reply.getheader("Content-Disposition").startswith("attachment")
    text = reply.read().decode()
    assert text.count("<script") == text.count("</script>") == 3


def test_the_tabs_follow_the_keyboard(page):
    page.get_by_role("tab", name="Chain rule").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Gradient flow")).to_be_focused()
    expect(page.get_by_role("tabpanel", name="Gradient flow")).to_be_visible()
    expect(page.get_by_role("tabpanel", name="Chain rule")).to_be_hidden()
    page.keyboard.press("Home")
    expect(page.locator(".result")).to_have_text("= 49")


def test_light_and_dark(open_page):
    ground = "getComputedStyle(document.body).backgroundColor"
    page = open_page(color_scheme="dark")
    dark = page.evaluate(ground)
    page.get_by_role("button", name="Theme").click()
    light = page.evaluate(ground)
    assert light != dark
    page.reload()
    assert page.evaluate(ground) == light
    assert open_page(color_scheme="light").evaluate(ground) == light


def test_a_phone_does_not_scroll_sideways(open_page):
    page = open_page(viewport={"width": 390, "height": 844})
    expect(page.locator(".result")).to_have_text("= 49")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_fifty_pages_at_once(browser, server, watch):
    # Small ones: what is tested is the server, not how fast pages are painted.
    context = browser.new_context(viewport={"width": 320, "height": 240})
    context.on("page", watch.on)
    first = context.new_page()
    first.goto(f"{server.url}/#chain?formula=x*y&in.x=0&in.y=2")
    first.evaluate(
        """() => {
            window.others = Array.from({length: 49}, (_, x) => open(`/#chain?formula=x*y&in.x=${x + 1}&in.y=2`));
        }"""
    )
    results = "() => window.others.map(other => other.document.querySelector('.result')?.textContent)"
    deadline = time.monotonic() + 120
    while (shown := first.evaluate(results)) != [f"= {2 * x}" for x in range(1, 50)]:
        assert time.monotonic() < deadline, shown
        first.wait_for_timeout(200)
    assert server.post("/api/chain", QUESTION)[0] == 200
    context.close()


def test_many_questions_at_once(server):
    """Fifty connections, each with the most expensive picture there is."""
    formula = "*".join(f"sin(x{place})" for place in range(66))
    statuses = []
    ask = lambda: statuses.append(server.post("/api/chain", {"formula": formula, "inputs": {}, "drawing": True})[0])
    threads = [threading.Thread(target=ask) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 50


def test_ctrl_c_ends_it_even_with_pages_open(browser):
    server = Server("--port", "0")
    context = browser.new_context()
    page = context.new_page()
    page.goto(server.url)
    expect(page.locator(".result")).to_have_text("= 49")
    kept_open = server.connect()
    kept_open.connect()
    assert server.stop() == 0
    page.get_by_label("f =", exact=True).fill("x + 1")
    expect(page.locator("#chain .error")).to_contain_text("does not answer")
    context.close()


def test_a_port_in_use_is_an_error(server):
    second = subprocess.run([PROGRAM, "lab", "--port", str(server.port)], capture_output=True, text=True, timeout=10)
    assert second.returncode == 1
    assert f"cannot listen on 127.0.0.1:{server.port}" in second.stderr


def resident(server):
    """Megabytes of memory of the server."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def test_slow_clients_lose_their_connection():
    """Unfinished requests and unread answers hold neither a connection nor much memory for long."""
    server = Server()
    try:
        request = "POST /api/chain HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}"
        half_head = socket.create_connection(("127.0.0.1", server.port))
        half_head.sendall(b"POST /api/chain HTTP/1.1\r\nHost: ")
        half_body = socket.create_connection(("127.0.0.1", server.port))
        half_body.sendall(request.format(server.port, 100, "{").encode())
        before = resident(server)
        formula = "+".join(["sigmoid(x)"] * 360)
        question = json.dumps({"formula": formula, "inputs": {"x": 1}, "drawing": True})
        unread = []
        for _ in range(30):
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", server.port))
            connection.sendall(request.format(server.port, len(question), question).encode())
            unread.append(connection)
        time.sleep(5)
        assert resident(server) - before < 100
        # The page is still served, and questions are answered once the slow clients are gone.
        connection = server.connect()
        connection.request("GET", "/")
        assert connection.getresponse().status == 200
        half_head.settimeout(60)
        while half_head.recv(1000):
            pass
        half_body.settimeout(60)
        assert b" 408 " in half_body.recv(1000).split(b"\r\n")[0]
        for connection in unread:
            connection.close()
        assert server.post("/api/chain", QUESTION)[0] == 200
    finally:
        assert server.stop() == 0
