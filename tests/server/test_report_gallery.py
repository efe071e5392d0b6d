"""Every kind of report in a real browser: on a phone, on a desk, light, dark and on paper.

Pictures go to the folder that FEDSYNTH_GALLERY names, else to a folder that pytest throws away.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import services
from chromium import Page, browser
from report_states import STATES

from server.report import render_html

pytestmark = [pytest.mark.slow]

PHONE, DESK, SHEET = 390, 1280, 680  # A4 without its margins is 180 mm wide, 680 pixels
VIEWS: dict[str, dict[str, Any]] = {
    "phone": {"width": PHONE},
    "phone-dark": {"width": PHONE, "dark": True},
    "desk": {"width": DESK},
    "desk-dark": {"width": DESK, "dark": True},
    "paper": {"width": SHEET, "printed": True},
}
# What sticks out of the window, unless a box around it scrolls; and what should say something.
FAULTS = """(() => {
  const inside = node => node.closest('.map') !== null;
  const said = node => node.textContent.trim().slice(0, 40);
  const name = node => `${node.tagName}.${node.className} ${said(node)}`;
  const seen = node => node.getClientRects().length > 0;
  const wide = [...document.querySelectorAll('main *, header *')].filter(
    node => seen(node) && !inside(node) && !node.closest('svg, .gauge, thead')
      && node.getBoundingClientRect().right > innerWidth + 1).map(name);
  const cut = [...document.querySelectorAll('td, th, p, dd, h1, h2, h3')].filter(
    node => seen(node) && !node.closest('thead') && node.scrollWidth > node.clientWidth + 1
      && getComputedStyle(node).display !== 'inline').map(name);
  const empty = [...document.querySelectorAll('td, th, p, li, dd, dt, h2, h3, section, caption')]
    .filter(node => !node.textContent.trim() && !node.querySelector('.gauge, svg')).map(name);
  const small = [...document.querySelectorAll('main *')].filter(
    node => seen(node) && node.children.length === 0 && node.textContent.trim()
      && !node.closest('svg, sup') && parseFloat(getComputedStyle(node).fontSize) < 10).map(name);
  return {wide, cut, empty, small, width: document.documentElement.scrollWidth};
})()"""
# WCAG 2.1: contrast of every text with what lies behind it.
CONTRAST = """(() => {
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = colour => numbers(colour).slice(0, 3).map(v => v / 255).map(
    v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = node => {
    for (let each = node; each; each = each.parentElement) {
      const colour = getComputedStyle(each).backgroundColor;
      if ((numbers(colour)[3] ?? 1) > 0) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const texts = [...document.querySelectorAll('body *')].filter(
    node => [...node.childNodes].some(c => c.nodeType === 3 && c.textContent.trim())
      && node.tagName.toLowerCase() !== 'style');
  return texts.map(node => {
    const style = getComputedStyle(node);
    const one = light(node.closest('svg') ? style.fill : style.color), two = light(behind(node));
    return [(Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05), node.textContent.trim()];
  }).filter(([ratio]) => ratio < 4.5).map(([ratio, text]) => ratio.toFixed(1) + ' ' + text);
})()"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    services.need("chromium")
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    wanted = os.environ.get("FEDSYNTH_GALLERY")
    folder = Path(wanted) if wanted else tmp_path_factory.mktemp("gallery")
    folder.mkdir(parents=True, exist_ok=True)
    for name, state in STATES.items():
        (folder / f"{name}.html").write_text(render_html(state()), encoding="utf-8")
    return folder


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("state", STATES)
def test_nothing_sticks_out_is_empty_or_too_small(
    page: Page, gallery: Path, state: str, view: str
) -> None:
    page.open(gallery / f"{state}.html", **VIEWS[view])
    page.screenshot(gallery / f"{state}-{view}.png")
    faults = page.evaluate(FAULTS)
    assert faults.pop("width") <= VIEWS[view]["width"]
    assert faults == {"wide": [], "cut": [], "empty": [], "small": []}


@pytest.mark.parametrize("view", ["desk", "desk-dark"])
@pytest.mark.parametrize("state", STATES)
def test_every_text_stands_out_from_what_is_behind_it(
    page: Page, gallery: Path, state: str, view: str
) -> None:
    page.open(gallery / f"{state}.html", **VIEWS[view])
    found = page.evaluate(CONTRAST)
    on_cells = re.compile(r"^\S+ [\d.]+$")  # numbers of the heat map, which lie on painted cells
    assert [text for text in found if not on_cells.match(text)] == []


@pytest.mark.parametrize("state", STATES)
def test_no_request_leaves_the_page(page: Page, gallery: Path, state: str) -> None:
    page.requests.clear()
    path = gallery / f"{state}.html"
    page.open(path, width=DESK)
    page.evaluate("document.querySelectorAll('a').length")
    # What stands in the page itself is no request.
    asked = [each for each in page.requests if not each.startswith("data:")]
    assert asked == [path.resolve().as_uri()]


@pytest.mark.parametrize("state", STATES)
def test_it_prints_on_a_few_sheets(page: Page, gallery: Path, state: str) -> None:
    path = gallery / f"{state}.pdf"
    page.open(gallery / f"{state}.html", width=SHEET, printed=True)
    page.print(path)
    content = path.read_bytes()
    boxes = re.findall(rb"/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)\]", content)
    assert {(round(float(wide)), round(float(high))) for wide, high in boxes} == {(595, 842)}
    sheets = len(re.findall(rb"/Type\s*/Page\b(?!s)", content))
    assert 3 <= sheets <= 20
    end = "document.getElementById('gain').getBoundingClientRect().top + scrollY"
    height_of_sheet = 1009  # 267 mm
    assert page.evaluate(end) < 2 * height_of_sheet


def test_the_checks_find_what_they_look_for(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "bad.html"
    path.write_text(
        "<body style='margin:0'><main><p style='width:900px'>wide</p><p></p>"
        "<p style='font-size:7px'>small</p><p style='color:#999'>faint</p>"
        "<img src='http://example.org/x.png'></main>",
        encoding="utf-8",
    )
    page.requests.clear()
    page.open(path, width=700)  # too wide for a phone without a viewport
    faults = page.evaluate(FAULTS)
    assert faults["width"] > 700
    assert all(faults[name] for name in ("wide", "empty", "small"))
    assert any("faint" in text for text in page.evaluate(CONTRAST))
    assert "http://example.org/x.png" in page.requests
