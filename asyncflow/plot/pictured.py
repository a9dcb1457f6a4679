"""Makes a picture of a subject: what repeats is folded, and the arrows between groups are put together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from .._graph.folding import NOTHING, Points, again, by_key, folded
from .._show import words
from .._show.picture import OUTSIDE, Link, Node, Picture, Remark, Subject

Fold = bool | int | None

_MOST: Final = 50  # boxes, if nobody says how many
_FILES: Final = 5  # names that a link keeps
_CODE: Final = "pause"


def picture_of(subject: Subject, fold: Fold = None) -> Picture:
    """The picture of a subject.

    Args:
        subject: what is to be drawn.
        fold: whether tasks that repeat are one box: None to decide by their number, or how many boxes there may be.

    Raises:
        TypeError: `fold` is something else.
        ValueError: less than one box.
    """
    _check(fold)
    points, pauses = _points(subject)
    groups = _groups(points, fold, subject)
    nodes = _nodes(subject, groups, points, pauses)
    links = _links(subject, groups, nodes, points)
    _mark_critical(subject, groups, nodes, links)
    _put_remarks(subject.remarks, groups, nodes, links)
    _tidy(nodes, links)
    _mark_loops(nodes, links)
    return Picture(
        subject.noun,
        subject.title,
        list(nodes.values()),
        list(links.values()),
        [remark.text for remark in subject.remarks],
        lambda node, most: [subject.story(place) for place in subject.notable(node.members, most)],
    )


_Links = dict[tuple[int, int, str, bool], Link]


def _check(fold: Fold) -> None:
    if fold is not None and not isinstance(fold, int):
        raise TypeError(f"draw(fold={fold!r}): True, False, None or a number of boxes is needed")
    if fold is not None and not isinstance(fold, bool) and fold < 1:
        raise ValueError(f"draw(fold={fold!r}): a picture has one box at least")


def _points(subject: Subject) -> tuple[Points, int]:
    """The tasks; and behind them a point for each pause of many before many, which would be too many arrows."""
    keys: list[object] = list(zip(subject.names, subject.kinds, strict=True))
    around = list(subject.around)
    arrows = [(arrow.source, arrow.target) for arrow in subject.arrows]
    for pause in subject.pauses:
        if min(len(pause.waited_for), len(pause.before)) > 1:
            point = len(keys)
            keys.append(_CODE)
            around.append(around[pause.before[0]])
            arrows += [(each, point) for each in pause.waited_for]
            arrows += [(point, each) for each in pause.before]
        else:
            arrows += [(one, other) for one in pause.waited_for for other in pause.before]
    blocks = frozenset(place for place, kind in enumerate(subject.kinds) if kind == "block")
    return Points(keys, around, arrows, blocks), len(keys) - len(subject.names)


def _groups(points: Points, fold: Fold, subject: Subject) -> Sequence[int]:
    if fold is False:
        return range(len(points.keys))
    groups = by_key(points) if fold is True else folded(points, _MOST if fold is None else fold)
    for items in subject.streams:  # a few stand for all
        alike: dict[tuple[object, int], int] = {}
        for place in items.places:
            if place not in points.blocks:
                block = points.around[place]
                key = points.keys[place], NOTHING if block == NOTHING else groups[block]
                groups[place] = alike.setdefault(key, groups[place])
    return groups


def _nodes(subject: Subject, groups: Sequence[int], points: Points, pauses: int) -> dict[int, Node]:
    members: dict[int, list[int]] = {}
    for place, group in enumerate(groups):
        members.setdefault(group, []).append(place)
    nodes = {}
    streamed = {place: number for number, items in enumerate(subject.streams) for place in items.places}
    for group, places in members.items():
        first = places[0]
        block = points.around[first]
        outer = OUTSIDE if block == NOTHING else groups[block]
        if first >= len(subject.names):
            nodes[group] = Node(group, "", _CODE, 0, around=outer)
            continue
        states = Counter(subject.states[place] for place in places) if subject.states else {}
        names = list(dict.fromkeys(subject.names[place] for place in places))
        repeated = _times(places, {streamed[each] for each in places if each in streamed}, subject)
        nodes[group] = Node(
            group,
            words.listed([words.name_of(name) for name in names], 40),
            subject.kinds[first],
            len(places),
            repeated,
            outer,
            {str(state): number for state, number in states.items()},
            details=subject.summary(places),
            members=places,
            ids=[subject.ids[place] for place in places],
        )
    return nodes


def _times(places: Sequence[int], streams: set[int], subject: Subject) -> str:
    """How many tasks a box is, of streams as many as they have items: "× 500", "× N"."""
    held = set(places) if streams else set()
    whole = [subject.streams[each] for each in streams if held.issuperset(subject.streams[each].places)]
    if not whole:
        return f"× {len(places):,}" if len(places) > 1 else ""
    if any(items.total is None for items in whole):
        return "× N"
    return f"× {len(places) + sum((items.total or 0) - len(items.places) for items in whole):,}"


def _links(subject: Subject, groups: Sequence[int], nodes: dict[int, Node], points: Points) -> _Links:
    links: _Links = {}
    for arrow in subject.arrows:
        source, target = groups[arrow.source], groups[arrow.target]
        key = source, target, arrow.kind, arrow.optional
        link = links.get(key)
        if link is None:
            if source == target or _is_inside(
                nodes, source, target
            ):  # the latter of blocks inside of their like
                nodes[source].again += 1
                continue
            link = links[key] = Link(source, target, arrow.kind, arrow.optional)
        link.count += 1
        if arrow.file and len(link.files) < _FILES and arrow.file not in link.files:
            link.files.append(arrow.file)
    tied = {(link.source, link.target) for link in links.values()}
    for one, other in points.arrows[len(subject.arrows) :]:  # those of pauses
        source, target = groups[one], groups[other]
        if source == target:
            nodes[source].again += 1
        elif (source, target) not in tied and not _is_inside(nodes, source, target):
            link = links.setdefault((source, target, "code", False), Link(source, target, "code"))
            link.count += 1
    return links


def _is_inside(nodes: dict[int, Node], one: int, other: int) -> bool:
    """Whether one of two boxes is inside of the other."""
    for node, block in ((one, other), (other, one)):
        outer = nodes[node].around
        while outer != OUTSIDE:
            if outer == block:
                return True
            outer = nodes[outer].around
    return False


def _mark_critical(subject: Subject, groups: Sequence[int], nodes: dict[int, Node], links: _Links) -> None:
    way = [groups[place] for place in subject.critical]
    for group in way:
        nodes[group].critical = True
    steps = {
        (source, target)
        for one, other in set(pairwise(way))
        for source in _with_blocks(nodes, one)
        for target in _with_blocks(nodes, other)
    }
    for link in links.values():
        link.critical = (link.source, link.target) in steps


def _with_blocks(nodes: dict[int, Node], box: int) -> Iterator[int]:
    """A box and those around it."""
    while box != OUTSIDE:
        yield box
        box = nodes[box].around


def _put_remarks(
    remarks: Sequence[Remark], groups: Sequence[int], nodes: dict[int, Node], links: _Links
) -> None:
    """At the links between their ends, or at the end where there is no link."""
    for number, remark in enumerate(remarks):
        if not remark.ends:
            continue
        *sources, target = [groups[end] for end in remark.ends]
        found = [link for link in links.values() if link.target == target and link.source in sources]
        for link in found:
            link.remarks.append(number)
        if not found:
            nodes[target].remarks.append(number)


def _tidy(nodes: dict[int, Node], links: _Links) -> None:
    """Take away pauses that say nothing: all that is called after them is tied to all before anyway; or one to one."""
    for pause in [node for node in nodes.values() if node.kind == _CODE]:
        before = [link for link in links.values() if link.target == pause.number]
        after = [link for link in links.values() if link.source == pause.number]
        tied = {(link.source, link.target) for link in links.values()}
        missing = [
            (one.source, other.target)
            for one in before
            for other in after
            if one.source != other.target
            and (one.source, other.target) not in tied
            and not _is_inside(nodes, one.source, other.target)
        ]
        if len(missing) > 2:
            continue
        for link in (*before, *after):
            del links[link.source, link.target, link.kind, link.optional]
        for source, target in missing:
            links[source, target, "code", False] = Link(source, target, "code", count=1)
        del nodes[pause.number]


def _mark_loops(nodes: dict[int, Node], links: _Links) -> None:
    """Links that lead back."""
    places = {group: place for place, group in enumerate(nodes)}
    back = again(len(nodes), [(places[link.source], places[link.target]) for link in links.values()])
    for link in links.values():
        link.again = (places[link.source], places[link.target]) in back
