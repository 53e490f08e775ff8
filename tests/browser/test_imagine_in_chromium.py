"""Imagine as a person would use it: a model, a row, a slider, and another picture."""

import base64
import io

from PIL import Image

WAIT = 240_000  # milliseconds for the first picture on a machine that is busy with others


def says(page, text):
    page.get_by_text(text).first.wait_for(timeout=WAIT)


def ready(page):
    page.locator(".picture img").nth(2).wait_for(timeout=WAIT)
    return page


def source(page, at=1):
    return page.locator(".picture img").nth(at).get_attribute("src")


def slid(page, name, key="ArrowRight", times=4):
    """Move a slider by keys; wait for the answer that names it."""
    slider = page.locator(f"input[type=range][aria-labelledby='control-{name}-title']")
    slider.focus()
    for _ in range(times):
        page.keyboard.press(key)
    page.locator(".answer-rest tbody tr", has_text=name).wait_for(timeout=WAIT)
    page.locator(".answer-grid:not([aria-busy])").wait_for(timeout=WAIT)


def test_slider_moves_the_picture_and_says_what_it_rests_on(page, shot, violations):
    page.get_by_role("tab", name="Imagine").click()
    ready(page)
    before = source(page)
    assert before == source(page, 0)  # nothing is set yet
    says(page, "The graph on the page is another one.")
    slid(page, "size")
    assert source(page) != before
    says(page, "model-dependent")
    says(page, "not identifiable from P(v)")
    says(page, "network calls")
    page.get_by_role("button", name="Show the film").click()
    page.locator(".frame img").nth(1).wait_for(timeout=WAIT)
    shot(page, "imagine-moved")
    assert violations(page) == []
    page.set_viewport_size({"width": 360, "height": 740})
    strip, last = (page.locator(each).last.bounding_box() for each in (".film", ".frame"))
    assert last["x"] + last["width"] <= strip["x"] + strip["width"] + 1  # in rows, not in one line
    page.set_viewport_size({"width": 1280, "height": 800})
    page.get_by_role("button", name="Let size be as it was").click()
    page.get_by_text("Nothing is set.").wait_for(timeout=WAIT)
    page.get_by_role("button", name="Undo").click()
    page.locator(".answer-rest tbody tr", has_text="size").wait_for(timeout=WAIT)


def test_picture_of_ones_own_is_read_and_changed(watched, opened, server, shot):
    page = ready(opened(watched(360, 740), server.address, "Imagine"))
    first = source(page, 0)
    content = base64.b64decode(first.split(",")[1])
    large = io.BytesIO()
    Image.open(io.BytesIO(content)).resize((200, 200)).save(large, "PNG")
    page.get_by_label("Open a picture").set_input_files(
        {"name": "ball.png", "mimeType": "image/png", "buffer": large.getvalue()}
    )
    says(page, "a picture of your own: 200 x 200 pixels, scaled to 64 x 64")
    exact = page.get_by_label("size, exact value")
    exact.fill("40")
    exact.press("Enter")
    says(page, "40 is beyond 5 to 15 px: 15 is set")
    assert exact.input_value() == "15"
    page.get_by_text("What the answer rests on").click()
    says(page, "inferred: stripe")
    page.get_by_label("Open a picture").set_input_files(
        {"name": "no.png", "mimeType": "image/png", "buffer": b"no picture at all"}
    )
    page.locator("#pane-imagine .problem").wait_for(timeout=WAIT)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    shot(page, "imagine-narrow-own")


def test_link_opens_the_same_picture(watched, opened, server, linked, shot):
    page = ready(opened(watched(), server.address, "Imagine"))
    page.get_by_role("button", name="dusk").click()
    page.locator(".answer-rest tbody tr", has_text="sky").wait_for(timeout=WAIT)
    page.locator(".answer-grid:not([aria-busy])").wait_for(timeout=WAIT)
    other = ready(opened(watched(scheme="dark"), linked(page)))
    assert [source(other, at) for at in range(3)] == [source(page, at) for at in range(3)]
    shot(other, "imagine-link-dark")
