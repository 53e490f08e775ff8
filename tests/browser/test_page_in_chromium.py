"""The page as a whole: it opens, its tabs work by mouse and by key, its address holds its state."""

import pytest

PANES = ["Draw", "Know", "Ask", "Imagine", "Table"]


def shown(page):
    return [each.get_attribute("id") for each in page.locator(".pane:not([hidden])").all()]


def test_page_opens_with_five_panes_of_which_one_is_shown(page, shot):
    assert page.get_by_role("tab").count() == len(PANES)
    assert shown(page) == ["pane-draw"]
    shot(page, "opened")


def test_each_tab_shows_its_pane(page):
    for name in PANES:
        page.get_by_role("tab", name=name).click()
        assert shown(page) == [f"pane-{name.lower()}"]


def test_arrow_keys_go_from_tab_to_tab(page):
    page.get_by_role("tab", name="Draw").focus()
    for name in [*PANES[1:], PANES[0]]:
        page.keyboard.press("ArrowRight")
        assert shown(page) == [f"pane-{name.lower()}"]
    page.keyboard.press("End")
    assert shown(page) == ["pane-table"]


@pytest.mark.parametrize("name", PANES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_pane_violates_a_rule_of_axe(watched, opened, server, violations, shot, name, scheme):
    page = opened(watched(scheme=scheme), server.address, name)
    page.wait_for_timeout(1000)
    shot(page, f"{name.lower()}-{scheme}")
    assert violations(page) == []


@pytest.mark.parametrize("name", PANES)
def test_no_pane_is_wider_than_a_telephone(watched, opened, server, shot, name):
    page = opened(watched(360, 740), server.address, name)
    page.wait_for_timeout(1000)
    shot(page, f"{name.lower()}-narrow")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_link_opens_the_same_page_elsewhere(page, watched, opened, server):
    page.get_by_label("File name").fill("mine.yaml")
    page.keyboard.press("Tab")
    page.get_by_role("tab", name="Know").click()
    page.get_by_role("button", name="Copy link").click()
    page.wait_for_function("location.hash.length > 20")
    page.wait_for_timeout(600)
    other = opened(watched(), page.url)
    assert other.get_by_label("File name").input_value() == "mine.yaml"
    assert shown(other) == ["pane-know"]
