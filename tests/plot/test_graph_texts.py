"""Mermaid and DOT: valid whatever tasks are called, and made with nothing installed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.plan import Edge, Finding, Plan, PlannedTask

from .subjects_kit import hostile_plan, report_of_a_run

QUOTED = re.compile(r'"(?:[^"\\\n]|\\.)*"')
ATTRIBUTE = r'\w+=(?:"Q"|\w+|true)'
DOT_LINES = [
    r'digraph "Q" \{',
    rf"(?:\w+|subgraph cluster\d+ \{{|\}}|\w+ -> \w+)?(?: ?\[{ATTRIBUTE}(?:, {ATTRIBUTE})*\])?",
]
MERMAID_TEXT = r'"(?:\w|[ .,:_/×…✓○◎↑▶◪✗!»⊘□⚠–-]|#\d+;|<br/>)*"'
MERMAID_LABEL = MERMAID_TEXT.replace('"', "").replace("|<br/>", "")
SHAPE = "|".join(
    rf"{re.escape(left)}{MERMAID_TEXT}{re.escape(right)}"
    for left, right in (("[", "]"), ("[[", "]]"), ("([", "])"), ("(", ")"), ("((", "))"), ("[/", "/]"))
)
MERMAID_LINES = [
    r"flowchart TB",
    rf" *n\d+(?:{SHAPE})",
    rf" *subgraph n\d+ \[{MERMAID_TEXT}\]",
    r" *end",
    rf"  n\d+ (?:-->|==>|-\.->|-\.-o)(?:\|{MERMAID_LABEL}\|)? n\d+",
    r"  classDef [\w-]+ [\w:#,. -]+",
    r"  class [n\d,]+ [\w-]+",
    r"  linkStyle \d+ [\w:-]+",
    r"  style n\d+ [\w:-]+",
    r"  %% \d+: .*",
]


def check_dot(text: str) -> None:
    bare = QUOTED.sub('"Q"', text)
    for line in bare.splitlines():
        assert any(re.fullmatch(each, line.strip()) for each in DOT_LINES), line
    assert bare.count("{") == bare.count("}")


def check_mermaid(text: str) -> None:
    first, title, third, *rest = text.splitlines()
    assert first == third == "---"
    assert title.startswith('title: "')
    for line in rest:
        assert any(re.fullmatch(each, line) for each in MERMAID_LINES), line


def test_hostile_names_do_nothing_in_dot_or_mermaid() -> None:
    drawing = hostile_plan().draw()
    check_dot(drawing.to_dot())
    check_mermaid(drawing.to_mermaid())


@given(st.lists(st.text(max_size=30), min_size=1, max_size=6))
def test_no_name_makes_invalid_text(names: list[str]) -> None:
    tasks = [PlannedTask(number, name) for number, name in enumerate(names)]
    edges = [Edge(n, n + 1, "file", name) for n, name in enumerate(names[1:])]
    drawing = Plan(tasks, edges, findings=[Finding(names[0], names[-1], tuple(names))]).draw(fold=False)
    check_dot(drawing.to_dot())
    check_mermaid(drawing.to_mermaid())


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
async def test_graphviz_reads_it() -> None:
    for drawing in (hostile_plan().draw(), (await report_of_a_run()).draw()):
        ran = subprocess.run(
            ["dot", "-Tcanon"], input=drawing.to_dot().encode(), capture_output=True, check=False
        )
        assert (ran.returncode, ran.stderr) == (0, b"")


async def test_kinds_of_links_states_blocks_and_the_critical_path_are_told() -> None:
    tasks = [
        PlannedTask(1, "load"),
        PlannedTask(2, "fit", expected=5.0),
        PlannedTask(3, "pipeline", "block"),
        PlannedTask(4, "render", "executable", 3),
    ]
    edges = [Edge(1, 2), Edge(2, 4, "file", "model.pkl"), Edge(1, 3, "order"), Edge(1, 4, optional=True)]
    plan = Plan(tasks, edges, findings=[Finding("a str is needed", "x.py:3", ("load", "fit"))])
    assert plan.draw().to_mermaid().splitlines()[3:] == [
        "flowchart TB",
        '  n0["load"]',
        '  n1["fit"]',
        '  subgraph n2 ["pipeline"]',
        '    n3[["render"]]',
        "  end",
        "  n0 -->|⚠ 1| n1",
        "  n0 -.-> n2",
        "  n0 -->|optional| n3",
        "  n1 ==>|model.pkl| n3",
        "  classDef planned fill:#eef1f5,stroke:#57606a,color:#1b2026",
        "  class n0,n1,n2,n3 planned",
        "  linkStyle 0 stroke-width:4px",
        "  linkStyle 3 stroke-width:4px",
        "  style n0 stroke-width:4px",
        "  style n1 stroke-width:4px",
        "  style n3 stroke-width:4px",
        "  %% 1: x.py:3 / a str is needed / between: load -> fit",
    ]
    text = plan.draw().to_dot()
    assert 'n0 -> n1 [label="⚠ 1", penwidth=3]' in text
    assert "n0 -> in2 [style=dashed, arrowhead=vee, lhead=cluster2]" in text


def test_a_finding_stands_at_the_call_of_its_line() -> None:
    tasks = [
        PlannedTask(number, name, called_at=f"x.py:{line}")
        for number, (name, line) in enumerate([("load", 1), ("fit", 1), ("load", 2), ("fit", 2)], 1)
    ]
    plan = Plan(tasks, [Edge(1, 2), Edge(3, 4)], findings=[Finding("wrong", "x.py:2", ("load", "fit"))])
    assert [line.strip() for line in plan.draw().to_mermaid().splitlines() if "-->" in line] == [
        "n0 --> n2",
        "n1 -->|⚠ 1| n3",
    ]


async def test_a_report_tells_how_many_are_in_which_state() -> None:
    text = (await report_of_a_run()).draw(fold=True).to_mermaid()
    assert '[["✓ render"]]' in text
    assert "pipeline × 5<br/>✓ 4  ✗ 1" in text
    assert "fit × 20<br/>✓ 16  ✗ 4" in text


def test_text_is_made_and_svg_says_what_to_install_where_nothing_is_installed() -> None:
    code = """
import sys
sys.modules["fast_sugiyama"] = sys.modules["resvg_py"] = None
from asyncflow.plan import Edge, Plan, PlannedTask
drawing = Plan([PlannedTask(1, "load"), PlannedTask(2, "fit")], [Edge(1, 2)]).draw()
assert "load" in drawing.to_mermaid() and "load" in drawing.to_dot()
for make in (drawing.to_svg, drawing.to_png, drawing.to_html):
    try:
        make()
    except ImportError as error:
        print(str(error).splitlines()[0])
print("<pre>" in drawing._repr_html_())
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    mend = 'pip install "asyncflow-engine[plot]"'
    assert ran.stdout.splitlines() == [f"a picture as SVG needs fast-sugiyama:  {mend}"] * 3 + ["True"]
