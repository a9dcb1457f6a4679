"""A picture as text for other programs: Mermaid, as GitHub and many wikis draw it, and DOT, for Graphviz."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Final, Literal

from .._show import palette, words
from .._show.picture import OUTSIDE, Link, Node, Picture

_MOST: Final = 60  # characters of a name
_PLAIN: Final = frozenset(" .,:_-/×…✓○◎↑▶◪✗!»⊘□⚠")
_SHAPES: Final = {
    # kind: (Mermaid, DOT)
    "function": ("[{}]", "box"),
    "executable": ("[[{}]]", "component"),
    "service": ("([{}])", "cylinder"),
    "awaitable": ("({})", "ellipse"),
    "stream": ("[/{}/]", "parallelogram"),
    "pause": ("(({}))", "circle"),
    "block": ("[{}]", "folder"),
}
_ARROWS: Final = {"data": "-->", "file": "==>", "order": "-.->", "code": "-.-o"}
_LINES: Final = {
    "data": "",
    "file": 'style=bold, arrowhead=box, color="black:white:black"',
    "order": "style=dashed, arrowhead=vee",
    "code": "style=dotted, arrowhead=dot",
}


def caption(node: Node) -> list[str]:
    """The lines that stand in a box: its label, and how many of its tasks are in which state."""
    label = f"{words.name_of(node.name, _MOST)} {words.plain(node.suffix)}".rstrip()
    if node.states and len(node.states) == 1:
        return [f"{palette.look_of(node.state).glyph} {label}"]
    if node.states:
        return [label, tally(node)]
    return [label]


def tally(node: Node) -> str:
    """How many of its tasks are in which state: "✓ 497  ✗ 3"."""
    return "  ".join(
        f"{look.glyph} {node.states[state]:,}"
        for state, look in palette.LOOKS.items()
        if state in node.states
    )


def link_note(link: Link) -> str:
    """What is written at a link, if anything is."""
    told = [f"⚠ {number + 1}" for number in link.remarks]
    if link.kind == "file" and len(link.files) == 1 == link.count:
        told.append(words.name_of(link.files[0]))
    if link.optional:
        told.append("optional")
    if link.again:
        told.append("again")
    return ", ".join(told)


# -- Mermaid -----------------------------------------------------------------------------------------------------------


def mermaid(picture: Picture) -> str:
    """The picture in Mermaid's language for flowcharts; names can do nothing in it but be read."""
    title = json.dumps(f"{picture.noun}: {words.plain(picture.title)}")
    lines = ["---", f"title: {title}", "---", "flowchart TB"]
    lines += _mermaid_boxes(picture)
    for link in picture.links:
        note = link_note(link)
        label = f"|{_for_mermaid(note)}|" if note else ""
        lines.append(f"  n{link.source} {_ARROWS[link.kind]}{label} n{link.target}")
    states: list[str | None] = [*picture.states]
    for state in states or [None]:
        look = palette.look_of(state)
        ink, ground = look.light
        dash = f",stroke-dasharray:{look.dash}" if look.dash else ""
        lines.append(f"  classDef {look.name} fill:{ground},stroke:{ink},color:#1b2026{dash}")
        members = [
            f"n{each.number}" for each in picture.nodes if each.kind != "pause" and each.state == state
        ]
        if members:
            lines.append(f"  class {','.join(members)} {look.name}")
    lines += [f"  linkStyle {n} stroke-width:4px" for n, link in enumerate(picture.links) if link.critical]
    lines += [f"  style n{each.number} stroke-width:4px" for each in picture.nodes if each.critical]
    for number, remark in enumerate(picture.remarks, 1):
        lines.append(f"  %% {number}: {words.plain(' / '.join(remark), 2000)}")
    return "\n".join(lines) + "\n"


def _mermaid_boxes(picture: Picture) -> Iterator[str]:
    for indent, node, step in _walked(picture):
        if step == "end":
            yield f"{indent}end"
            continue
        marks = [f"⚠ {number + 1}" for number in node.remarks]
        text = '"' + "<br/>".join(map(_for_mermaid, [*caption(node), *marks])) + '"'
        if step == "begin":
            yield f"{indent}subgraph n{node.number} [{text}]"
        else:
            yield f"{indent}n{node.number}{_SHAPES[node.kind][0].format(text)}"


def _for_mermaid(text: str) -> str:
    """Text between quotes: all that could mean something is written as its number."""
    return "".join(each if each.isalnum() or each in _PLAIN else f"#{ord(each)};" for each in text) or " "


# -- DOT ---------------------------------------------------------------------------------------------------------------


def dot(picture: Picture) -> str:
    """The picture in the language of Graphviz."""
    lines = [
        f"digraph {_for_dot(f'{picture.noun}: {words.plain(picture.title)}')} {{",
        f"  graph [compound=true, fontname={_for_dot('Helvetica')}, labeljust=l, style=rounded]",
        f"  node [fontname={_for_dot('Helvetica')}, shape=box]",
        f"  edge [fontname={_for_dot('Helvetica')}, fontsize=10]",
    ]
    lines += _dot_boxes(picture)
    blocks = picture.blocks
    for link in picture.links:
        more = [_LINES[link.kind]] if _LINES[link.kind] else []
        ends = []
        for end, side in ((link.source, "ltail"), (link.target, "lhead")):
            ends.append(f"in{end}" if end in blocks else f"n{end}")
            more += [f"{side}=cluster{end}"] if end in blocks else []
        if note := link_note(link):
            more.append(f"label={_for_dot(note)}")
        more += ["penwidth=3"] if link.critical else []
        more += ["constraint=false"] if link.again else []
        lines.append(f"  {ends[0]} -> {ends[1]}{_attributes(more)}")
    for number, remark in enumerate(picture.remarks, 1):
        text = _for_dot(f"⚠ {number}: {words.plain(' / '.join(remark), 2000)}")
        lines.append(f"  remark{number} [shape=note, label={text}]")
    return "\n".join([*lines, "}"]) + "\n"


def _dot_boxes(picture: Picture) -> Iterator[str]:
    for indent, node, step in _walked(picture):
        if step == "end":
            yield f"{indent}}}"
            continue
        ink, ground = palette.look_of(node.state).light
        lines = [*caption(node), *(f"⚠ {number + 1}" for number in node.remarks)]
        label = '"' + r"\n".join(_escaped(line) for line in lines) + '"'
        pen = ["penwidth=3"] if node.critical else []
        if step == "begin":
            yield f"{indent}subgraph cluster{node.number} {{"
            yield f"{indent}  graph{_attributes([f'label={label}', f'color={_for_dot(ink)}', *pen])}"
            yield f"{indent}  in{node.number} [shape=point, style=invis]"
        elif node.kind == "pause":
            yield f"{indent}n{node.number} [shape=point]"
        else:
            dash = ",dashed" if palette.look_of(node.state).dash else ""
            look = [f'style="filled{dash}"', f"fillcolor={_for_dot(ground)}", f"color={_for_dot(ink)}", *pen]
            attributes = _attributes([f"label={label}", f"shape={_SHAPES[node.kind][1]}", *look])
            yield f"{indent}n{node.number}{attributes}"


def _walked(picture: Picture) -> Iterator[tuple[str, Node, Literal["box", "begin", "end"]]]:
    """The boxes with their indents; a block begins before what is inside of it, and ends after. Blocks may be inside of
    each other deeper than calls may be in Python."""
    inside: dict[int, list[Node]] = {}
    for node in picture.nodes:
        inside.setdefault(node.around, []).append(node)
    way: list[tuple[Node | None, Iterator[Node]]] = [(None, iter(inside.get(OUTSIDE, ())))]
    while way:
        block, rest = way[-1]
        found = next(rest, None)
        if found is None:
            way.pop()
            if block is not None:
                yield "  " * len(way), block, "end"
        elif found.number in inside:
            yield "  " * len(way), found, "begin"
            way.append((found, iter(inside[found.number])))
        else:
            yield "  " * len(way), found, "box"


def _attributes(given: Sequence[str]) -> str:
    return f" [{', '.join(given)}]" if given else ""


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"")


def _for_dot(text: str) -> str:
    return f'"{_escaped(text)}"'
