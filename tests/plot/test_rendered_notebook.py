"""A notebook that a real kernel has executed, rendered as its reader sees it: in the light and in the dark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter

from .chromium_kit import Browser

HOSTILE = "</div><script>window.hurt = true</script><img src=x onerror='window.hurt=1'> & \\x1b[31m \\u202e"
CELLS = [
    f"""
from asyncflow import Graph, WorkflowEngine, ref, step
engine = await WorkflowEngine.create(workers=2)
evil = "{HOSTILE}"

@engine.function_task(retries=1, retry_delay=0)
def load(name: str) -> list[str]:
    "Load a file."
    if name == "bad":
        raise ValueError(evil)
    return [name]

@engine.block
async def both(one: str, other: str) -> int:
    return len(await load(one)) + len(await load(other))

named = load.with_options(name=evil[:40].replace("/", ""))
""",
    "engine",
    "load",
    "future = both('a', 'b')\nfuture",
    "await future",
    "failed = load('bad')\ntry:\n    await failed\nexcept ValueError:\n    pass\nfailed",
    "worked = named('x')\nawait worked\nworked",
    "await engine.plan(both, 'a', 'b')",
    "engine.report()",
    "stream = load.stream(['a', 'b'])\nasync for _ in stream: pass\nstream",
    "service = engine.serve(load)\njob = service.submit('a', id=evil[:60])\nawait job.result()\nservice",
    "job",
    "Graph({'rows': step(load, 'a'), evil: step(load, ref('rows'))})",
    "engine",
    "await engine.shutdown()",
]
# The least contrast of text that WCAG asks for (AA).
CONTRAST = """
const luminance = ([r, g, b]) => [r, g, b].map(c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
const ground = element => {
    for (; element; element = element.parentElement) {
        const [r, g, b, a = 1] = numbers(getComputedStyle(element).backgroundColor);
        if (a > 0.99) return [r, g, b];
    }
    return [255, 255, 255];
};
const weak = [];
let texts = 0;
for (const element of document.querySelectorAll('[class*="asyncflow"] *')) {
    const own = [...element.childNodes].filter(each => each.nodeType === 3 && each.textContent.trim());
    if (!own.length || !element.checkVisibility() || element.closest("svg, style")) continue;
    texts += 1;
    const [a, b] = [luminance(numbers(getComputedStyle(element).color)), luminance(ground(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) weak.push([own[0].textContent.slice(0, 40), contrast]);
}
return {texts, weak};
"""


@pytest.fixture(scope="module")
def executed() -> Any:
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    NotebookClient(book, timeout=60, kernel_name="python3").execute()
    return book


def rendered(book: Any, path: Path, theme: str) -> Path:
    """As a page, without what the template would fetch from elsewhere."""
    exporter = HTMLExporter(theme=theme)
    resources = {"mathjax_url": "", "require_js_url": "", "jquery_url": "", "mermaid_js_url": ""}
    page, _ = exporter.from_notebook_node(book, resources={**resources, "metadata": {"name": "notebook"}})
    path.write_text(page)
    return path


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_thing_shows_itself_legibly_and_does_nothing_else(
    executed: Any, browser: Browser, theme: str, tmp_path: Path
) -> None:
    page = browser.open(rendered(executed, tmp_path / "book.html", theme), dark=theme == "dark")
    shown = page.run("return [...document.querySelectorAll('[class*=\"asyncflow\"]')].map(e => e.innerText)")
    kinds = [text.split(":")[0].split("\n")[0] for text in shown]
    for kind in ("Engine", "function_task", "Task", "Plan", "Report", "Stream", "Service", "Job", "Graph"):
        assert kind in kinds, kinds
    assert not page.run(
        "return !!window.hurt || document.querySelectorAll('[class*=\"asyncflow\"] img').length"
    )
    found = page.run(CONTRAST)
    assert found["texts"] > 50
    assert found["weak"] == []
    wide = page.run(
        "return [...document.querySelectorAll('[class*=\"asyncflow\"]')].filter(e => e.scrollWidth > 1200).length"
    )
    assert wide == 0
    page.close()
