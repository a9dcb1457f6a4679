"""Colours that are read by everybody: on light ground and dark, with any colour vision, and without colour."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest

from asyncflow import State
from asyncflow._show import palette

from .chromium_kit import Browser

# G. M. Machado, M. M. Oliveira, L. A. F. Fernandes, "A Physiologically-based Model for Simulation of Color Vision
# Deficiency", 2009: severity 1.0, on linear RGB.
VISIONS = {
    "all": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.3039)),
}  # fmt: skip
OFTEN = ("succeeded", "failed", "running", "upstream-failed")


def linear(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return tuple(
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in (red, green, blue)
    )  # type: ignore[return-value]


def luminance(colour: str) -> float:
    return sum(part * weight for part, weight in zip(linear(colour), (0.2126, 0.7152, 0.0722), strict=True))


def contrast(one: str, other: str) -> float:
    less, more = sorted((luminance(one), luminance(other)))
    return (more + 0.05) / (less + 0.05)


def seen(colour: str, vision: str) -> tuple[float, float, float]:
    """In CIELAB, by eyes of some kind."""
    rgb = linear(colour)
    r, g, b = (max(0.0, sum(m * c for m, c in zip(row, rgb, strict=True))) for row in VISIONS[vision])
    xyz = (
        (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505,
        0.2126 * r + 0.7152 * g + 0.0722 * b,
        (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089,
    )
    x, y, z = (each ** (1 / 3) if each > 0.008856 else 7.787 * each + 16 / 116 for each in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def apart(one: str, other: str, vision: str) -> float:
    pairs = zip(seen(one, vision), seen(other, vision), strict=True)
    return sum((a - b) ** 2 for a, b in pairs) ** 0.5


def test_every_state_of_a_task_has_a_look() -> None:
    assert set(palette.LOOKS) == {state.value for state in State}
    assert palette.look_of(None) is palette.PLANNED


def test_without_colour_no_two_states_look_the_same() -> None:
    looks = [palette.PLANNED, *palette.LOOKS.values()]
    assert len({look.mark for look in looks}) == len({look.glyph for look in looks}) == len(looks)


@pytest.mark.parametrize("dark", [False, True])
def test_text_is_read_on_every_ground_and_lines_stand_out_from_it(dark: bool) -> None:
    colours = palette.colours(dark)
    for name, colour in colours.items():
        if name.endswith("-fill") or name in ("bg", "box"):
            assert contrast(colours["fg"], colour) >= 7, name
            assert contrast(colours["muted"], colour) >= 4.5, name
        elif name not in ("fg", "grid", "muted"):
            assert contrast(colours["bg"], colour) >= 3, name
    for look in palette.LOOKS.values():
        assert contrast(colours[look.name], colours[f"{look.name}-fill"]) >= 3, look.name


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("dark", [False, True])
def test_states_that_are_seen_often_are_told_apart_with_any_colour_vision(dark: bool, vision: str) -> None:
    colours = palette.colours(dark)
    for one, other in combinations(OFTEN, 2):
        assert apart(colours[one], colours[other], vision) > 11, (one, other)


@pytest.mark.parametrize("dark", [False, True])
def test_rules_may_be_read_where_no_variables_are_known(dark: bool) -> None:
    rules = palette.with_fallbacks(".x{fill:var(--af-bg);stroke-width:2;stroke:var(--af-failed)}")
    assert rules == (
        ".x{fill:#ffffff;fill:var(--af-bg);stroke-width:2;stroke:#b83a00;stroke:var(--af-failed)}"
    )
    assert "var(" not in palette.resolved(rules, dark)


def test_a_page_follows_the_reader_and_its_theme(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        f"<!doctype html><style>{palette.css()}p{{color:var(--af-fg);background:var(--af-bg)}}</style>"
        '<p class="af" id="plain">a<p class="af af-dark" id="dark">b<p class="af af-light" id="light">c'
        '<div data-jp-theme-light="false"><p class="af" id="jupyter-dark">d</div>'
        '<div data-jp-theme-light="true"><p class="af" id="jupyter-light">e</div>'
        '<div class="vscode-dark"><p class="af" id="vscode-dark">f</div>'
    )
    look = (
        "return Object.fromEntries([...document.querySelectorAll('p')].map(each =>"
        " [each.id, getComputedStyle(each).backgroundColor === 'rgb(255, 255, 255)' ? 'light' : 'dark']))"
    )
    opened = browser.open(page)
    themed = {
        "dark": "dark",
        "light": "light",
        "jupyter-dark": "dark",
        "jupyter-light": "light",
        "vscode-dark": "dark",
    }
    assert opened.run(look) == {"plain": "light", **themed}
    opened.look(dark=True)
    assert opened.run(look) == {"plain": "dark", **themed}
    opened.look(dark=True, print_=True)
    assert set(opened.run(look).values()) == {"light"}
    opened.close()
