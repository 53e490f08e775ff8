"""Table as a person would use it: a row, a slider, ranges; rows of one's own that are fitted."""

import numpy as np

WAIT = 240_000
GRAPH = """graph: line
nodes:
  dose: {type: continuous, unit: mg}
  pain: {type: continuous}
edges: [dose -> pain]
"""


def says(page, text):
    page.get_by_text(text).first.wait_for(timeout=WAIT)


def rows_as_csv():
    random = np.random.default_rng(0)
    dose = random.normal(size=60)
    pain = 3 - 2 * dose + 0.1 * random.normal(size=60)
    lines = (f"{d:.3f},{p:.3f}" for d, p in zip(dose, pain, strict=True))
    return ("dose,pain\n" + "\n".join(lines)).encode()


def test_row_is_answered_with_its_ranges(page, shot, violations):
    page.get_by_role("tab", name="Table").click()
    page.locator("#pane-table .rows input").nth(2).wait_for(timeout=WAIT)
    page.locator("#pane-table .rows input").nth(2).check()
    page.get_by_text("Nothing is set.").wait_for(timeout=WAIT)
    page.get_by_role("spinbutton", name="age").fill("80")
    page.keyboard.press("Enter")
    page.locator(".range-bar").wait_for(timeout=WAIT)
    says(page, "would be")
    shot(page, "table-row")
    assert violations(page) == []


def test_bars_of_levels_are_as_long_as_their_probabilities(page):
    page.get_by_role("tab", name="Table").click()
    widths = page.evaluate(
        """async () => {
          const { levelBars } = await import("/page/ranges.js");
          const parts = [0.25, 0.75].map((value) => ({ level: "x", value, any_noise: [0, 1] }));
          const table = levelBars(parts);
          document.querySelector("#pane-table").append(table);
          const bars = [...table.querySelectorAll("rect")];
          const wide = bars.map((each) => each.getBoundingClientRect().width);
          table.remove();
          return wide;
        }"""
    )
    ground, quarter, ends, _, rest, _ = widths
    assert ground == ends > 0
    assert abs(quarter / ground - 0.25) < 0.01
    assert abs(rest / ground - 0.75) < 0.01


def test_rows_that_cannot_be_fitted_are_refused_where_they_were_given(
    watched, opened, server, shot
):
    page = opened(watched(360, 740), server.address, "Table")
    page.locator("#pane-table .rows input").first.wait_for(timeout=WAIT)
    chosen = page.locator("#pane-table select").first
    chosen.select_option("page")
    page.locator("#pane-table .problem").wait_for(timeout=WAIT)
    assert "have no type" in page.locator("#pane-table .problem").inner_text()
    page.get_by_label("Or fit the graph on the page").set_input_files(
        {"name": "no.csv", "mimeType": "text/csv", "buffer": b"a;b\n1;2;3\n"}
    )
    page.get_by_text("3 cells; the header names 2 columns").wait_for(timeout=WAIT)
    shot(page, "table-narrow-refused")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_types_of_the_graph_on_the_page_are_guessed(page, holding, shot):
    holding(page, text="# mine\nedges: [dose -> pain]\n", pane="table")
    page.locator("#pane-table .rows input").first.wait_for(timeout=WAIT)
    page.get_by_label("Or fit the graph on the page").set_input_files(
        {"name": "rows.csv", "mimeType": "text/csv", "buffer": rows_as_csv()}
    )
    says(page, "have no type")
    page.get_by_role("button", name="Guess the types").click()
    says(page, "The types are in the graph on the page")
    shot(page, "table-types")
    page.get_by_role("button", name="Fit to rows.csv").click()
    says(page, "your rows")


def test_fitted_rows_answer_whatever_the_noise(page, holding, shot):
    holding(page, text=GRAPH, pane="table")
    page.locator("#pane-table .rows input").first.wait_for(timeout=WAIT)
    page.get_by_label("Or fit the graph on the page").set_input_files(
        {"name": "rows.csv", "mimeType": "text/csv", "buffer": rows_as_csv()}
    )
    page.get_by_text("your rows").wait_for(timeout=WAIT)
    page.get_by_role("spinbutton", name="dose").fill("1")
    page.keyboard.press("Enter")
    page.locator(".range-bar").wait_for(timeout=WAIT)
    says(page, "the row leaves one value under the fitted model, the error of the fit not in it")
    says(page, "whatever the noise")
    assert page.locator(".range-bar .interval").count() == 0
    shot(page, "table-fitted")


def test_ranges_are_said_with_what_is_in_them(page):
    said = page.evaluate(
        """async () => {
          const { levelBars, rangeBar } = await import("/page/ranges.js");
          const part = (interval) => ({ factual: 1, value: 0.78, interval, any_noise: [0.5, 2] });
          const found = (members, kind) => ({ level: "95 %", members, badge: { kind } });
          const bar = (interval, members, kind) =>
            rangeBar(part(interval), { low: 0, high: 3 }, found(members, kind)).innerText;
          const levels = [0.2, 0.8].map((value) =>
            ({ level: "x", value, interval: [value - 0.1, value + 0.1], any_noise: [0, 1] }));
          return [
            bar([0.78, 0.78], 0, "bounds"), bar([0.78, 0.78], 0, "given"),
            bar([0.78, 0.78], 10, "bounds"), bar([0.7, 0.9], 10, "bounds"),
            bar([0.7, 0.9], 0, "bounds"),
            levelBars(levels, { level: "95 %", members: 10 }).innerText,
            levelBars(levels, { level: "95 %", members: 0 }).innerText,
          ];
        }"""
    )
    rest = "; whatever the noise 0.5 to 2"
    assert [each.strip() for each in said[:5]] == [
        f"the row leaves one value under the fitted model, the error of the fit not in it{rest}",
        f"the row leaves one value{rest}",
        f"95 % interval 0.78{rest}",
        f"95 % interval 0.7 to 0.9{rest}",
        f"95 % interval without the error of the fit 0.7 to 0.9{rest}",
    ]
    assert "0.70 to 0.90" in said[5]
    assert "interval" not in said[6]
