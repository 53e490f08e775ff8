"""The page as a whole: it opens, its tabs work by mouse and by key, its address holds its state."""

import pytest

PANES = ["Draw", "Know", "Ask", "Imagine", "Table"]


def shown(page):
    return [each.get_attribute("id") for each in page.locator(".pane:not([hidden])").all()]


def test_page_opens_with_five_panes_of_which_one_is_shown(page, shot):
    assert page.get_by_role("tab").count() == len(PANES)
    assert shown(page) == ["pane-draw"]
    shot(page, "opened")


def test_tabs_are_shown_by_the_mouse_and_by_arrow_keys(page):
    for name in PANES:
        page.get_by_role("tab", name=name).click()
        assert shown(page) == [f"pane-{name.lower()}"]
    page.get_by_role("tab", name="Draw").focus()
    for name in [*PANES[1:], PANES[0]]:
        page.keyboard.press("ArrowRight")
        assert shown(page) == [f"pane-{name.lower()}"]
    page.keyboard.press("End")
    assert shown(page) == ["pane-table"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_pane_violates_a_rule_of_axe(watched, opened, server, settled, violations, shot, scheme):
    page = opened(watched(scheme=scheme), server.address)
    for name in PANES:
        page.get_by_role("tab", name=name).click()
        shot(settled(page), f"{name.lower()}-{scheme}")
        assert violations(page) == []


def test_no_pane_is_wider_than_a_telephone(watched, opened, server, settled, shot):
    page = opened(watched(360, 740), server.address)
    for name in PANES:
        page.get_by_role("tab", name=name).click()
        shot(settled(page), f"{name.lower()}-narrow")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_link_opens_the_same_page_elsewhere(page, watched, opened, linked):
    page.get_by_label("File name").fill("mine.yaml")
    page.keyboard.press("Tab")
    page.get_by_role("tab", name="Know").click()
    other = opened(watched(), linked(page))
    assert other.get_by_label("File name").input_value() == "mine.yaml"
    assert shown(other) == ["pane-know"]
