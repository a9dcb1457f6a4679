"""Names that would do something to whoever shows them, and what must be true of all that is shown."""

from __future__ import annotations

from html.parser import HTMLParser

HOSTILE = (
    "<script>alert(1)</script>",
    "two\nlines",
    "\x1b[2J\x1b]0;title\x07",
    "'\"><img src=x onerror=alert(1)>",
    "right\u202eto left",
    "\udc80 half a letter",
    "nul\0l",
    "&amp;",
    "\r\x08\x7f\x9b31m",
    "名前",
    "名前" * 30,
    "",
    "x" * 10_000,
)


def does_nothing(shown: str) -> bool:
    """Whether a terminal that shows some text only shows it; that it can be printed at all goes with it."""
    shown.encode()
    return all(line.isprintable() for line in shown.split("\n"))


class Page(HTMLParser):
    """What a browser would find in a page."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str | None]] = set()
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(attrs)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)
