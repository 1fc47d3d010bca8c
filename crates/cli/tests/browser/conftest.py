"""What all tests of the lab page share: the server, the browser, and pages that may not complain."""

import http.client
import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

# Patience for a busy machine; what is expected mostly happens at once.
expect.set_options(timeout=20_000)

ROOT = Path(__file__).resolve().parents[4]
# Another build of the program, such as target/debug/geartrain, in the variable GEARTRAIN.
PROGRAM = Path(os.environ.get("GEARTRAIN", ROOT / "target/release/geartrain"))
# Chromium would otherwise look for updates, and for Google's servers; the name stands for a page that points its own
# name at this machine.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP rebound.example 127.0.0.1",
]


class Server:
    """A running lab."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([PROGRAM, "lab", *arguments], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.url = re.search(r"http://127\.0\.0\.1:\d+", line)[0]
        self.port = int(self.url.rsplit(":", 1)[1])

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def post(self, path, question, headers=(), connection=None):
        """Status and answer. `question` is sent as JSON unless it is text already."""
        body = question if isinstance(question, (str, bytes)) else json.dumps(question)
        connection = connection or self.connect()
        connection.request("POST", path, body, {"Content-Type": "application/json", **dict(headers)})
        reply = connection.getresponse()
        text = reply.read()
        try:
            return reply.status, json.loads(text)
        except ValueError:
            return reply.status, text.decode()

    def stop(self):
        """Ends it by Ctrl-C; its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=10)


@pytest.fixture(scope="session")
def server():
    server = Server()
    yield server
    assert server.process.poll() is None, "the server has died"
    assert server.stop() == 0


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        yield browser
        browser.close()


class Watch:
    """Collects what pages complain about; what a test expects, it says beforehand."""

    def __init__(self):
        self.complaints = []
        self.expected = []

    def on(self, page):
        def hear(message):
            if message.type in ("error", "warning"):
                self.complaints.append(f"{message.text} ({message.location.get('url')})")

        page.on("console", hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: (self.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        return page

    def expect(self, text):
        self.expected.append(text)

    def unexpected(self):
        return [text for text in self.complaints if not any(expected in text for expected in self.expected)]


@pytest.fixture
def watch():
    """Every test with pages fails on any console error and any violation of the page's policy."""
    watch = Watch()
    yield watch
    assert watch.unexpected() == []


@pytest.fixture
def open_page(browser, server, watch):
    """Opens the lab at an address (`#flow?depth=20`), with options of Playwright's `new_context`."""
    contexts = []

    def open_page(address="", **options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = watch.on(context.new_page())
        page.goto(f"{server.url}/{address}")
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def page(open_page):
    return open_page()
