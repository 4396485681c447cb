"""No network, no server, nothing sent."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.samples.open_page import OpenPage, script_element

Server = tuple[str, ThreadingHTTPServer]


def test_one_file_on_a_disk_without_a_network(context: BrowserContext, demo_page: Path, tmp_path: Path) -> None:
    """index.html is all there is: it can be sent by itself, and opened in any folder under any name."""
    copy = tmp_path / "knees.html"
    copy.write_bytes((demo_page / "index.html").read_bytes())
    context.set_offline(True)
    tab = OpenPage(context.new_page(), copy.as_uri())
    assert tab.open_example() == "measured"
    assert not tab.errors
    assert [url for url in tab.requests if not url.startswith(("file:", "blob:", "data:"))] == []


def test_served_once_then_without_its_server(context: BrowserContext, server: Server) -> None:
    url, http = server
    first = OpenPage(context.new_page(), url)
    first.page.evaluate("navigator.serviceWorker.ready.then(() => 'kept')")
    manifest = context.new_cdp_session(first.page).send("Page.getAppManifest")
    assert manifest["errors"] == []
    installability = context.new_cdp_session(first.page).send("Page.getInstallabilityErrors")
    # a test's profile is incognito
    assert {error["errorId"] for error in installability["installabilityErrors"]} <= {"in-incognito"}
    first.page.close()
    http.shutdown()
    http.server_close()
    context.set_offline(True)
    second = OpenPage(context.new_page(), url)
    assert second.open_example() == "measured"
    assert not second.errors


ATTEMPTS = """
async (there) => {
  const outcome = (target, start) => new Promise((resolve) => {
    target.onload = target.onopen = () => resolve("sent");
    target.onerror = () => resolve("refused");
    start?.();
  });
  const [image, request, form] = [new Image(), new XMLHttpRequest(), document.createElement("form")];
  const frame = document.createElement("iframe");
  const post = { method: "POST", mode: "no-cors", body: "photo" };
  const answers = await Promise.all([
    fetch(`http://${there}`).then(() => "sent", () => "refused"),
    fetch(`http://${there}`, post).then(() => "sent", () => "refused"),
    outcome(image, () => (image.src = `http://${there}`)),
    outcome(request, () => { request.open("POST", `http://${there}`); request.send("photo"); }),
    outcome(new WebSocket(`ws://${there}`)),
    import(`http://${there}`).then(() => "sent", () => "refused"),
  ]);
  navigator.sendBeacon(`http://${there}`, "photo");
  frame.src = form.action = `http://${there}`;
  document.body.append(form, frame);
  form.submit();
  return [...answers, typeof RTCPeerConnection === "undefined" ? "refused" : "sent"];
}
"""


POLICY = r'<meta http-equiv="Content-Security-Policy"[^>]*>'


@pytest.mark.parametrize("scheme", ["file", "http"])
def test_the_browser_forbids_the_page_to_send(
    scheme: str, context: BrowserContext, demo_page: Path, server: Server, tmp_path: Path
) -> None:
    """Whatever a script in the page tried, nothing would reach a server; without the policy it does."""
    heard: list[str] = []

    class Listener(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            """Note the first line."""
            heard.append(self.rfile.readline().decode())

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    there = f"127.0.0.1:{listener.server_port}/photo"
    url = (demo_page / "index.html").as_uri() if scheme == "file" else server[0]
    # the policy is in force from the first byte: nobody waits for the network
    page = context.new_page()
    page.goto(url)
    assert set(page.evaluate(ATTEMPTS, there)) == {"refused"}
    page.wait_for_timeout(300)
    assert heard == []
    page.close()
    copy = tmp_path / "without-policy.html"
    copy.write_text(re.sub(POLICY, "", (demo_page / "index.html").read_text()))
    control = context.new_page()
    control.goto(copy.as_uri())
    control.evaluate(ATTEMPTS, there)
    control.wait_for_timeout(300)
    assert len(heard) > 2
    listener.shutdown()
    listener.server_close()


@pytest.mark.parametrize("missing", ["Worker", "DecompressionStream"])
def test_a_browser_that_cannot_run_it_is_told(missing: str, browser: Browser, demo_page: Path) -> None:
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    page.add_init_script(f"delete globalThis.{missing}")
    tab = OpenPage(page, (demo_page / "index.html").as_uri())
    assert tab.status == "stopped"
    assert "Chrome 91" in tab.alarm
    context.close()


def test_a_browser_that_finds_other_joints_is_told_with_every_photo(
    context: BrowserContext, demo_page: Path, tmp_path: Path
) -> None:
    """A page whose expected joints are 7 pixels away from what any browser finds."""
    page = (demo_page / "index.html").read_text()
    stated = script_element(page, "settings")
    settings = json.loads(stated)
    settings["check"]["xy"] = [[x + 7, y] for x, y in settings["check"]["xy"]]
    (tmp_path / "moved.html").write_text(page.replace(stated, json.dumps(settings)))
    tab = OpenPage(context.new_page(), (tmp_path / "moved.html").as_uri())
    assert tab.status == "stopped"
    assert "Do not use this page in this browser: its joints are 7" in tab.alarm
    tab.open_example()
    assert "Do not use this page" in tab.alarm


def test_without_a_script_the_page_says_what_it_needs(browser: Browser, demo_page: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((demo_page / "index.html").as_uri())
    assert "Chrome 91" in page.inner_text("#too-old")
    context.close()
