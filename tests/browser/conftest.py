"""The page in a real browser: a server of its own, Chromium, and what no page may do.

A test that takes `page` fails, whatever else it holds, if the page asked anything of another place,
said an error to the console, threw one, or met its own content security policy.

    CHROMIUM    the browser; by default the system's
    SHOTS       a folder in which screenshots are kept; by default none is
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

collect_ignore = ["conftest.py"]
CHROMIUM = (
    os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
)
STEP = 240_000  # milliseconds that one step may take on a machine that is busy with others
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--font-render-hinting=none"]


def pytest_collection_modifyitems(items):
    """Tests of this folder alone are skipped where there is no browser, with the reason."""
    here = Path(__file__).parent
    own = [item for item in items if here in item.path.parents]
    if own and (reason := lacking()):
        for item in own:
            item.add_marker(pytest.mark.skip(reason=reason))


def lacking():
    if CHROMIUM is None:
        return "no Chromium: apt-get install --no-install-recommends chromium fonts-dejavu-core"
    if subprocess.run([CHROMIUM, "--version"], capture_output=True, check=False).returncode:
        return f"{CHROMIUM} does not run: it may be a stub of another package"
    for module in ("playwright", "axe_playwright_python", "starlette", "uvicorn"):
        try:
            __import__(module)
        except ModuleNotFoundError:
            return f"no {module}: pip install '.[app,test]'"
    return None


@pytest.fixture(scope="session")
def server(serve):
    """The page started without a file."""
    return serve()


@pytest.fixture(scope="session")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as tool:
        found = tool.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


@pytest.fixture
def watched(browser):
    """New pages, in a context of their own each, of which every trespass is written down."""
    contexts, wrongs = [], []

    def new(width=1280, height=800, scheme="light", **options):
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            reduced_motion="reduce",
            **options,
        )
        context.set_default_timeout(STEP)
        contexts.append(context)
        page = context.new_page()
        page.allowed = set()  # statuses of answers that the test asks for, as 400
        page.asking = set()  # requests that are under way
        page.on("request", lambda each: asked(page, each, wrongs))
        page.on("requestfinished", lambda each: page.asking.discard(each))
        page.on("requestfailed", lambda each: page.asking.discard(each))
        page.on("pageerror", lambda each: wrongs.append(f"threw: {each}"))
        page.on("console", lambda each: complaint(page, each, wrongs))
        return page

    yield new
    for context in contexts:
        context.close()
    assert wrongs == []


def asked(page, request, wrongs):
    url = request.url
    if url.startswith(("data:", "blob:")):
        return
    page.asking.add(request)
    own = page.url.split("/")[:3]
    if url.split("/")[:3] != own and own[0] == "http:":
        wrongs.append(f"asked {url}")


def complaint(page, message, wrongs):
    """Chromium says each answer of 4xx to the console; the page shows it as it should."""
    text = message.text
    expected = any(f"status of {status}" in text for status in {400, *page.allowed})
    if message.type == "error" and not expected:
        wrongs.append(f"console: {text}")


@pytest.fixture
def page(watched, opened, server):
    """The page, opened and ready."""
    return opened(watched(), server.address)


@pytest.fixture
def opened():
    """Goes to the page, and to one of its panes, by its tab."""

    def go(page, address, pane=None):
        page.goto(address)
        page.wait_for_selector("html[data-ready]")
        if pane:
            page.get_by_role("tab", name=pane).click()
        return page

    return go


@pytest.fixture
def settled():
    """Waits until a page has had all its answers, and has drawn them."""
    drawn = "() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))"

    def wait(page):
        for _ in range(STEP // 50):
            page.evaluate(drawn)
            if not page.asking:
                return page
            page.wait_for_timeout(50)
        raise AssertionError(f"not answered: {[each.url for each in page.asking]}")

    return wait


def awaited(page, expression):
    """Wait for a truth in the page; Playwright's own waiting is an eval, which the CSP forbids."""
    for _ in range(1200):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never true: {expression}")


@pytest.fixture
def linked():
    """The address of a page as it is now, by its button."""

    def link(page):
        page.evaluate("history.replaceState(null, '', location.pathname)")
        page.get_by_role("button", name="Copy link").click()
        awaited(page, "location.hash.length > 20")
        return page.url

    return link


@pytest.fixture
def violations():
    """What axe-core finds wrong with a page: nothing, if it is to pass."""
    from axe_playwright_python.sync_playwright import Axe

    def found(page):
        results = Axe().run(page).response["violations"]
        return [
            f"{each['id']}: {node['html'][:200]}: {node['failureSummary'][:300]}"
            for each in results
            for node in each["nodes"]
        ]

    return found


@pytest.fixture
def shot():
    """Keep a screenshot, where a folder is named for them."""

    def keep(page, name):
        folder = os.environ.get("SHOTS")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=str(Path(folder) / f"{name}.png"), caret="initial")

    return keep


@pytest.fixture
def holding():
    """Opens the link of a page that holds a state, as one would be sent it."""
    script = """async (state) => {
        const { written } = await import("./page/address.js");
        const { blank } = await import("./page/store.js");
        location.hash = await written({ ...blank(), ...state });
    }"""

    def open_link(page, **state):
        page.evaluate(script, state)
        awaited(page, f"!document.querySelector('#pane-{state['pane']}').hidden")

    return open_link
