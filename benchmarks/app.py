"""App: how fast the what-if page starts and follows a slider, for one user and for four.

    python -m benchmarks.app                  measure, and write the page
    python -m benchmarks.app --moves 10       fewer moves of the slider
    python -m benchmarks.app --first          the first picture alone: clicks and seconds, as JSON
    python -m benchmarks.app --report         the page anew, from the numbers

The page is served as a user starts it, and opened in headless Chromium (the system's). A move of a
slider asks what the page asks, by the page's own `api.js`; its picture has come when the browser
has decoded the image in the answer. The first move of a row, which abducts its noise, is not
counted. Four users are four tabs in contexts of their own, each with a row of its own, all moving
at once. A flood is thirty moves within half a second; it has settled when the picture of the last
one is there.
The first picture is that of a user who has just installed: the command, the page, the tab, the
slider; a click is one that the browser tells of, and a foreign request fails the run.
Beside the seconds of the clock stand those of the processor, of the server and its workers: on a
machine that has other work they say what a move costs.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import click

from benchmarks.folders import RESULTS
from benchmarks.machine import machine
from benchmarks.markdown import markdown

SLIDERS = {"scene_ball": ("size", 6.0, 14.0), "morpho_mnist": ("thickness", 1.5, 4.5)}
USERS, FLOOD, STARTS = 4, 30, 7
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
STEP = 600_000

MOVES = """async ({ model, node, low, high, seed, moves }) => {
  const { createApi } = await import("./page/api.js");
  const api = createApi();
  const took = [];
  for (let i = 0; i <= moves; i++) {
    const begin = performance.now();
    const value = low + ((high - low) * i) / moves;
    const row = { from: "drawn", seed };
    const { pictures } = await api.post("imagine", { model, row, do: { [node]: value } });
    const image = new Image();
    image.src = pictures[0].counterfactual[0];
    await image.decode();
    took.push(performance.now() - begin);
  }
  return took.slice(1);
}"""
FLOODED = """async ({ model, node, low, high, seed, moves }) => {
  const { createApi } = await import("./page/api.js");
  const api = createApi();
  const row = { from: "drawn", seed };
  const asked = [];
  let last = 0;
  for (let i = 0; i < moves; i++) {
    const value = low + ((high - low) * i) / moves;
    asked.push(api.post("imagine", { model, row, do: { [node]: value } }));
    last = performance.now();
    await new Promise((go) => setTimeout(go, 500 / moves));
  }
  const image = new Image();
  image.src = (await asked.at(-1)).pictures[0].counterfactual[0];
  await image.decode();
  const settled = performance.now() - last;
  return [settled, (await Promise.all(asked)).filter((each) => each !== null).length];
}"""


COUNT = """window.clicks = 0;
addEventListener("click", () => { window.clicks += 1; }, { capture: true });"""


@contextmanager
def served() -> Iterator[tuple[str, int]]:
    """The address of a server that runs as long as the block, and its process."""
    command = [sys.executable, "-m", "causalflow", "app", "--port", "0", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            said = process.stdout.readline()
            yield "http://" + said.split("http://")[1].split()[0], process.pid
        finally:
            process.terminate()


def processor_seconds(process: int) -> float:
    """Seconds of the processor that a process and its children have taken, all threads."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    ticks = 0
    for each in (str(process), *children):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def start() -> dict[str, float]:
    """Seconds from the command to the address that it says."""
    began = time.perf_counter()
    with served() as (_, process):
        seconds = time.perf_counter() - began
        stat = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks = int(stat[11]) + int(stat[12])
    return {"seconds": seconds, "processor": ticks / os.sysconf("SC_CLK_TCK")}


def slider(model: str, moves: int, seed: int) -> dict[str, Any]:
    """What the page's script is told of a user's moves."""
    node, low, high = SLIDERS[model]
    given = {"model": model, "node": node, "low": low, "high": high}
    return given | {"seed": seed, "moves": moves}


async def followed(model: str, moves: int) -> dict[str, Any]:
    """Milliseconds of each move of one user and of four, and what a flood takes to settle."""
    from playwright.async_api import async_playwright

    with served() as (address, process):
        async with async_playwright() as tool:
            browser = await tool.chromium.launch(executable_path=chromium(), args=FLAGS)
            tabs = [await opened(browser, address) for _ in range(USERS)]
            await tabs[0].evaluate(MOVES, slider(model, 1, 0))
            before = processor_seconds(process)
            one = await tabs[0].evaluate(MOVES, slider(model, moves, 0))
            used = processor_seconds(process) - before
            settled, answered = await tabs[0].evaluate(FLOODED, slider(model, FLOOD, 0))
            each = slider(model, max(moves // 2, 1), 0)
            users = (tab.evaluate(MOVES, each | {"seed": i}) for i, tab in enumerate(tabs))
            four = [took for user in await asyncio.gather(*users) for took in user]
            await browser.close()
    return {
        "one": one,
        "processor": 1000 * used / (moves + 1),
        "flood": settled,
        "flood_answered": answered,
        "four": four,
    }


async def first_picture() -> dict[str, Any]:
    """Clicks, and seconds from the command, to the first counterfactual picture."""
    from playwright.async_api import async_playwright

    foreign: list[str] = []
    began = time.perf_counter()
    with served() as (address, _):
        async with async_playwright() as tool:
            browser = await tool.chromium.launch(executable_path=chromium(), args=FLAGS)
            page = await (await browser.new_context()).new_page()
            page.set_default_timeout(STEP)
            page.on("request", lambda each: _note(foreign, each.url, address))
            await page.add_init_script(COUNT)
            await page.goto(address)
            await page.get_by_role("tab", name="Imagine").click()
            track = page.locator("#pane-imagine input[type=range]:visible").first
            await page.wait_for_selector("#pane-imagine .picture img")
            box = await track.bounding_box()
            assert box is not None
            await track.click(position={"x": box["width"] * 0.8, "y": box["height"] / 2})
            await page.wait_for_selector('#pane-imagine .picture img[alt*=" had "]')
            clicks = await page.evaluate("window.clicks")
            await browser.close()
    return {"clicks": clicks, "seconds": time.perf_counter() - began, "foreign": foreign}


def _note(foreign: list[str], url: str, address: str) -> None:
    if not url.startswith(("data:", "blob:", address)):
        foreign.append(url)


async def opened(browser: Any, address: str) -> Any:
    """The page in a context of its own."""
    page = await (await browser.new_context()).new_page()
    page.set_default_timeout(STEP)
    await page.goto(address)
    await page.wait_for_selector("html[data-ready]")
    return page


def chromium() -> str:
    """The system's browser."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        raise click.ClickException("no Chromium: apt-get install chromium")
    return found


def measure(moves: int) -> dict[str, Any]:
    """All numbers, and the machine's."""
    return {
        "machine": machine(("starlette", "uvicorn", "playwright", "torch")),
        "start": [start() for _ in range(STARTS)],
        "first": asyncio.run(first_picture()),
        "models": {model: asyncio.run(followed(model, moves)) for model in SLIDERS},
    }


def report(found: Mapping[str, Any]) -> str:
    """The page."""
    starts, first = found["start"], found["first"]
    seconds, used = (median(each[name] for each in starts) for name in ("seconds", "processor"))
    rows = [
        [
            f"`{model}`, {SLIDERS[model][0]}",
            f"{median(each['one']):.0f}",
            f"{each['processor']:.0f}",
            f"{median(each['four']):.0f}",
            f"{each['flood']:.0f}",
            each["flood_answered"],
        ]
        for model, each in found["models"].items()
    ]
    head = [
        "slider",
        "to its picture, one user",
        "by the processor's time",
        f"{USERS} users at once",
        f"a flood of {FLOOD} settles",
        "of which are asked",
    ]
    told = found["machine"]
    moves = len(next(iter(found["models"].values()))["one"])
    return "\n".join(
        [
            "# The what-if page: start, slider, four users, a flood",
            "",
            f"`python -m benchmarks.app --moves {moves}`: milliseconds, medians of {moves} moves.",
            "",
            *markdown(head, rows),
            "",
            f"`causalflow app` says its address after {seconds:.2f} s ({used:.2f} s of the "
            f"processor), the median of {len(starts)} starts.",
            "",
            f"From the command to the first counterfactual picture: {first['clicks']} clicks, "
            f"{first['seconds']:.0f} s, nothing asked of another place.",
            "",
            f"{told['processor']}, {told['cores']} cores, Python {told['python']}, "
            f"{told['threads']} threads a process. The machine had other work: the clock says what "
            "was left of it, the processor's time what a move costs.",
            "",
        ]
    )


@click.command(help=__doc__.split("\n", 1)[0])
@click.option("--moves", default=50, show_default=True, type=click.IntRange(1))
@click.option("--first", "only_first", is_flag=True, help="The first picture alone, as JSON.")
@click.option("--report", "only_report", is_flag=True, help="The page anew, from the numbers.")
def main(moves: int, only_first: bool, only_report: bool) -> None:
    if only_first:
        print(json.dumps(asyncio.run(first_picture())))
        return
    numbers = RESULTS / "app.json"
    if not only_report:
        numbers.write_text(json.dumps(measure(moves), indent=1) + "\n", encoding="utf-8")
    text = report(json.loads(numbers.read_text(encoding="utf-8")))
    (RESULTS / "app.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
