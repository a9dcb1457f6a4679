"""Decides about URLs: what is one, what its file is called, how it is shown. Pure: nothing is connected to.

It knows how fsspec writes them (`::` chains places), and not fsspec. What is moved and when, is not its matter.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote, unquote, unquote_to_bytes

DELAYS: Final = (0.1, 0.4, 1.6)
"""Seconds to wait before the second attempt at something, the third, the fourth; there is no fifth."""

_URL: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]+)://")
_CHAINED: Final = re.compile(r"(?!https?:)[A-Za-z][A-Za-z0-9+._\-]+(://.*)?", re.DOTALL | re.IGNORECASE)
_WEB: Final = ("http", "https")
_WHOLE: Final = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", *_WEB})
_AS_IT_IS: Final = (
    "%:/?#[]@!$&'()*+,;="  # what quoting leaves alone besides letters, so that it can be done twice
)
_NO_NAMES: Final = frozenset({"", ".", ".."})
_SHOWN: Final = 60  # characters of a data: URL


def delay_before(attempt: int, delays: Sequence[float] = DELAYS) -> float | None:
    """The seconds to wait before an attempt (2 is the first retry); None if there are no more attempts.

    Returns:
        Seconds; None if there is to be no such attempt.
    """
    return delays[attempt - 2] if 2 <= attempt < len(delays) + 2 else None


def is_url(source: str) -> bool:
    """Whether this names a place by a URL; else it is a path."""
    return _is_data(source) or _URL.match(source) is not None or len(links(source)) > 1


def links(url: str) -> list[str]:
    """The places of a chain, the file itself first: "zip://a.csv::http://host/a.zip"; of other URLs, themselves.

    Only what follows `::` can tell: also the address of a host may hold one, "http://[::1]/".
    """
    parts = url.split("::")
    if not _is_data(url) and _URL.match(parts[-1]) and all(map(_CHAINED.fullmatch, parts[:-1])):
        return parts
    return [url]


def scheme(link: str) -> str:
    """What says how to speak to a place, in small letters: "http", "s3", "data"."""
    found = _URL.match(link)
    return "data" if _is_data(link) else (found[1] if found else link).lower()


def is_web(link: str) -> bool:
    """Whether a place is spoken to by HTTP; only there a URL has a query, and names with %20 in them."""
    return scheme(link) in _WEB


def has_query(link: str) -> bool:
    """Whether there is more than a path in it, if it is one of HTTP."""
    return "?" in link or "#" in link


def publishes_whole(url: str) -> bool:
    """Whether a file that is uploaded there appears all at once by itself; else it is moved there in the end."""
    return scheme(links(url)[-1]) in _WHOLE


def local_path(url: str) -> str | None:
    """The path that a file: URL means; None for other URLs.

    Raises:
        ValueError: it names a host, or no path can be called so.
    """
    if len(links(url)) > 1 or scheme(url) != "file":
        return None
    host, _, path = url.partition("://")[2].partition("/")
    if host not in ("", "localhost"):
        raise ValueError(f"{url!r} means a host {host!r}; a file of this machine is file:///path")
    decoded = unquote("/" + path, errors="surrogateescape")
    if "\0" in decoded:
        raise ValueError(f"{url!r} holds a null character, which no path can")
    return decoded


def is_directory(url: str) -> bool:
    """Whether a URL means a directory: whether its path ends in a slash."""
    link = _named(url)
    return link.endswith("/") and not _is_data(link) and not (is_web(link) and has_query(link))


def name_of(url: str) -> str:
    """What the file of a URL is called: one part of a path; "data" if it has no name that could be one."""
    link = _named(url)
    if _is_data(link):
        return "data"
    path = link.partition("://")[2]
    if is_web(link):
        path = unquote(re.split("[?#]", path, maxsplit=1)[0])
    elif scheme(link) == "file":
        path = unquote(path, errors="surrogateescape")
    name = path.replace("\0", "").rstrip("/").rpartition("/")[2]
    return "data" if name in _NO_NAMES else name


def name_in_listing(folder: str, entry: str) -> str | None:
    """The name, as one part of a path, of a file that a remote directory lists in full.

    Returns:
        None if it is no file of that folder: the folder itself, or a page's link to somewhere else.

    Raises:
        ValueError: a file may not be called so, or it would be written elsewhere.
    """
    folder, entry = folder.rstrip("/"), entry.rstrip("/")
    name = entry.rpartition("/")[2]
    if entry.lstrip("/") == folder.lstrip("/"):
        return None
    if is_web(entry):
        if entry != f"{folder}/{name}" or has_query(name):
            return None
        name = unquote(name)
    if name in _NO_NAMES or "/" in name or "\0" in name:
        raise ValueError(f"it lists a file called {name!r}")
    return name


def joined(folder: str, name: str) -> str:
    """The path, or for HTTP the URL, of something below a folder."""
    return f"{folder.rstrip('/')}/{quote(name) if is_web(folder) else name}"


def below(folder: str, name: str) -> str:
    """The URL of a file in the directory that a URL with a slash at its end means; any other URL, or a chain, stays
    as it is."""
    if not is_directory(folder) or len(links(folder)) > 1:
        return folder
    return folder + (quote(name) if is_web(folder) or scheme(folder) == "file" else name)


def as_sent(url: str) -> str:
    """An HTTP URL in the letters that may be sent; one that is in these already stays as it is, signatures hold."""
    start, host, rest = re.split(r"(?<=://)([^/?#]*)", url, maxsplit=1)
    if not host.isascii():
        user, at, host = host.rpartition("@")
        host = f"{quote(user, _AS_IT_IS)}{at}{host.encode('idna').decode()}"
    return start.lower() + host + quote(rest, _AS_IT_IS)


def data_of(url: str) -> bytes:
    """What a data: URL holds.

    Raises:
        ValueError: it holds nothing that can be read.
    """
    kind, comma, data = url.partition(",")
    if not comma:
        raise ValueError("a data: URL needs a comma before what it holds")
    held = unquote_to_bytes(data)
    if not kind.lower().endswith(";base64"):
        return held
    try:
        return binascii.a2b_base64(held, strict_mode=True)
    except binascii.Error as error:
        raise ValueError(f"what it holds is not in base64: {error}") from None


def shown(url: str) -> str:
    """A URL for people to read, without what may be secret: passwords, the query, and on the web the fragment."""
    if _is_data(url):
        return url if len(url) <= _SHOWN else f"{url[:_SHOWN]}..."
    return "::".join(map(_shown_link, links(url)))


def scrubbed(text: str, url: str) -> str:
    """A message of another library, with each URL in it reduced to what may be shown. ``url`` is one that it is
    likely to contain, perhaps with spaces in it."""
    return re.sub(_URL.pattern + r"\S*", lambda found: shown(found[0]), text.replace(url, shown(url)))


def _shown_link(link: str) -> str:
    # A password may hold a question mark by mistake: all before an @ goes with it.
    found = re.fullmatch(r"([^/?#]*://)((?:[^/]*@)?[^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?", link, re.DOTALL)
    if found is None:
        return link
    start, authority, path, query, fragment = found.groups()
    user, at, host = authority.rpartition("@")
    if is_web(link):
        user = at and "***"  # a token may be a name without a password
    elif ":" in user:
        user = f"{user.partition(':')[0]}:***"
    if fragment:
        fragment = "#***" if is_web(link) else fragment  # elsewhere it is a part of the name
    return f"{start}{user}{at}{host}{path}{'?***' if query else ''}{fragment or ''}"


def _named(url: str) -> str:
    """The link of a chain that names the file: "simplecache::s3://..." leaves that to the next."""
    return next((link for link in links(url) if "://" in link), url)


def _is_data(url: str) -> bool:
    return url[:5].lower() == "data:"
