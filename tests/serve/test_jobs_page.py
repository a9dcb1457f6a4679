"""The page of the example that shows a service's jobs, in a real browser."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import pytest
from plot.chromium_kit import Browser, Page, needs_chromium

pytestmark = needs_chromium
EXAMPLE = Path(__file__).parents[2] / "examples" / "service.py"
HOSTILE = "<img src=x onerror=document.title='run'> &amp; \u202e" + "x" * 300


@pytest.fixture(scope="module")
def example() -> Iterator[tuple[str, str]]:
    """Where the page is, and the token."""
    command = [sys.executable, EXAMPLE, "--port", "0", "--seconds", "120"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        place = program.stdout.readline().split()[5]
        yield place, program.stdout.readline().split()[-1]
        program.kill()


def until(page: Page, body: str) -> Any:
    """What the page says, once it says so."""
    end = monotonic() + 60
    while not (found := page.run(f"return {body}")):
        assert monotonic() < end, page.run("return document.body.innerText")
        sleep(0.05)
    return found


def test_jobs_are_shown_as_they_are_and_stay_text(browser: Browser, example: tuple[str, str]) -> None:
    place, token = example
    base = place.partition("#")[0]
    with httpx.Client(base_url=base, headers={"authorization": f"Bearer {token}"}) as client:
        headers = {"idempotency-key": b"<b>order</b>/17"}
        at = client.post("/analyse", json={"text": HOSTILE}, headers=headers).headers["location"]  # type: ignore[arg-type]
        client.get(f"{at}/result?wait=30")
    page = browser.open(place, size=(1400, 900))
    until(page, "document.body.innerText.includes('<b>order</b>/17')")
    until(page, "document.querySelectorAll('#rows tr').length === 6 && part('running').textContent === '0'")
    text = page.run("return document.body.innerText")
    assert "ValueError: there is no word in it" in text and "x" * 300 in text
    assert (
        page.run("return [...document.querySelectorAll('.state')].map(each => each.textContent)").count(
            "failed"
        )
        == 1
    )
    assert page.run("return document.title") == "analyse" and page.complaints == []
    assert token not in page.run("return location.href") + "".join(page.requests)
    for dark in (False, True):
        for width in (400, 800, 1400):
            page.look(dark=dark, size=(width, 900))
            assert page.overlaps("td, li, h1, #live")["pairs"] == []
            assert page.run("return document.documentElement.scrollWidth") <= width
    page.close()


def test_without_the_token_it_asks_for_it(browser: Browser, example: tuple[str, str]) -> None:
    place, token = example
    page = browser.open(place.partition("#")[0])
    until(page, "!part('ask').hidden && part('jobs').hidden")
    page.run("part('token').focus()")
    page.write("a wrong one")
    page.press("Enter", "\r")
    until(page, "part('live').textContent.includes('another one')")
    page.run("part('token').value = ''; part('token').focus()")
    page.write(token)
    page.press("Enter", "\r")
    until(page, "!part('jobs').hidden && document.querySelectorAll('#rows tr').length > 1")
    page.close()
