"""What is a URL, what its file is called, and that none shows a secret."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow._core import urls

SCHEMES = ["http", "https", "s3", "gs", "file", "memory", "sftp", "abfs", "git+ssh"]
parts = st.text(st.characters(exclude_characters="/?#@:\0", exclude_categories=["Cs"]), min_size=1)


@pytest.mark.parametrize(
    "source",
    [
        "http://a/b",
        "HTTP://a/b",
        "s3://a",
        "memory://x",
        "file:///x",
        "data:,x",
        "DATA:text/plain,x",
        "git+ssh://x",
        "simplecache::http://a/b",
        "zip://a.csv::simplecache::s3://b/k",
        "http://[::1]:80/x",
    ],
)
def test_a_url_has_a_scheme_of_two_letters_or_more(source: str) -> None:
    assert urls.is_url(source)


@pytest.mark.parametrize(
    "source",
    [
        "",
        "x",
        "/x",
        "./http://x",
        "a/b://c",
        "C:\\x",
        "C:/x",
        "C://x",
        "1a://x",
        "a::b",
        "http:/x",
        "file:/x",
        "x.data:",
    ],
)
def test_anything_else_is_a_path(source: str) -> None:
    assert not urls.is_url(source)


@given(st.text())
def test_any_text_is_one_or_the_other(text: str) -> None:
    urls.is_url(text)
    urls.is_directory(text)
    urls.publishes_whole(text)
    urls.shown(text)
    urls.scrubbed(text, text)
    assert "::".join(urls.links(text)) == text


@pytest.mark.parametrize(
    ("url", "links"),
    [
        ("zip://a::simplecache::s3://b/k", ["zip://a", "simplecache", "s3://b/k"]),
        ("s3://b/a::b", ["s3://b/a::b"]),
        ("http://[::1]/x", ["http://[::1]/x"]),
        ("http://h/?u=a::http://x", ["http://h/?u=a::http://x"]),
        ("data:,a::s3://b", ["data:,a::s3://b"]),
    ],
)
def test_a_chain_is_told_from_colons_in_a_name(url: str, links: list[str]) -> None:
    assert urls.links(url) == links


@given(parts.filter(lambda name: name not in (".", "..")), st.sampled_from(["http", "https", "file"]))
def test_a_name_comes_back_from_its_url(name: str, scheme: str) -> None:
    host = "" if scheme == "file" else "host"
    assert urls.name_of(f"{scheme}://{host}/folder/{quote(name)}") == name
    assert urls.name_of(f"{scheme}://{host}/folder/{quote(name)}/") == name


@given(
    st.sampled_from(SCHEMES), st.text("ab/.%20cfF?#\0: é", max_size=30), st.sampled_from(["", "zip://a/..::"])
)
def test_a_name_is_one_part_of_a_path(scheme: str, rest: str, chain: str) -> None:
    name = urls.name_of(f"{chain}{scheme}://{rest}")
    assert name not in ("", ".", "..")
    assert not set("/\0") & set(name)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://h/a/b%20c.txt?x=/y#z", "b c.txt"),
        ("http://h/a/%2e%2e%2fpasswd", "passwd"),
        ("http://h/%2e%2e", "data"),
        ("http://h/a%00b", "ab"),
        ("http://h/a'%22b", "a'\"b"),
        ("http://h", "h"),
        ("http:///", "data"),
        ("s3://b/run#1?%20.csv", "run#1?%20.csv"),
        ("s3://b/d/", "d"),
        ("data:text/plain,a/b", "data"),
        ("zip://in/a.csv::http://h/b.zip", "a.csv"),
        ("simplecache::http://h/b.zip?x", "b.zip"),
        ("file:///a/b%23", "b#"),
    ],
)
def test_names(url: str, name: str) -> None:
    assert urls.name_of(url) == name


@pytest.mark.parametrize(
    ("url", "yes"),
    [
        ("s3://b/d/", True),
        ("s3://b/d", False),
        ("http://h/d/", True),
        ("http://h/d?x=/", False),
        ("simplecache::s3://b/d/", True),
        ("zip://d/::http://h/a.zip", True),
        ("zip://d::http://h/a/", False),
        ("data:;base64,//8/", False),
    ],
)
def test_a_directory_ends_in_a_slash(url: str, yes: bool) -> None:
    assert urls.is_directory(url) is yes


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_a_file_url_means_a_path(path: str) -> None:
    assert urls.local_path(f"file:///{quote(path)}") == f"/{path}"
    assert urls.local_path(f"FILE://localhost/{quote(path)}") == f"/{path}"


@pytest.mark.parametrize("url", ["http://h/x", "data:,x", "s3://b", "simplecache::file:///x", "memory:///x"])
def test_other_urls_mean_none(url: str) -> None:
    assert urls.local_path(url) is None


@pytest.mark.parametrize(
    ("url", "why"), [("file://host/x", "means a host 'host'"), ("file:///a%00b", "a null character")]
)
def test_a_file_url_that_can_be_no_path_is_told(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        urls.local_path(url)


@pytest.mark.parametrize(
    "url", ["s3://b", "S3://b", "gs://b", "az://b", "abfss://c@a/x", "https://h/x", "simplecache::s3://b"]
)
def test_object_stores_publish_whole_files(url: str) -> None:
    assert urls.publishes_whole(url)


@pytest.mark.parametrize("url", ["sftp://h/x", "file:///x", "memory://x", "ftp://h/x", "unknown://x"])
def test_file_systems_show_what_is_half_written(url: str) -> None:
    assert not urls.publishes_whole(url)


def test_waits_grow_and_end() -> None:
    assert [urls.delay_before(attempt) for attempt in range(1, 7)] == [None, 0.1, 0.4, 1.6, None, None]
    assert [urls.delay_before(attempt, [5]) for attempt in (2, 3)] == [5, None]
    assert urls.delay_before(2, ()) is None


@pytest.mark.parametrize(
    ("folder", "entry", "name"),
    [
        ("/d", "/d/a", "a"),
        ("d/", "/d/a/", "a"),
        ("", "a", "a"),
        ("d", "d", None),
        ("d", "d/", None),
        ("b/d", "b/d/a%2F?#", "a%2F?#"),
        ("http://h/d/", "http://h/d/a%20b/", "a b"),
        ("http://h/d/", "http://h/d/", None),
        ("http://h/d/", "http://h/d/?C=N", None),
        ("http://h/d/", "http://h/d/x/y", None),
        ("http://h/d/", "http://h/e", None),
    ],
)
def test_a_listed_file_has_the_last_part_of_its_path_as_its_name(
    folder: str, entry: str, name: str | None
) -> None:
    assert urls.name_in_listing(folder, entry) == name


@pytest.mark.parametrize("name", ["..", ".", "a\0b"])
@pytest.mark.parametrize("folder", ["d", "http://h"])
def test_a_listing_has_no_names_that_lead_elsewhere(folder: str, name: str) -> None:
    for entry in {f"{folder}/{name}", f"{folder}/{quote(name)}", f"{folder}/{name.replace('.', '%2e')}%2fx"}:
        if urls.is_web(folder) or entry == f"{folder}/{name}":
            with pytest.raises(ValueError, match="it lists a file called"):
                urls.name_in_listing(folder, entry)


@given(parts.filter(lambda name: name not in (".", "..")))
def test_what_is_joined_is_listed_by_its_name(name: str) -> None:
    for folder in ("http://h/d/", "http://h/d", "b/d"):
        assert urls.name_in_listing(folder, urls.joined(folder, name)) == name


@given(st.text("aB0%2F?#&=;,'\" é[]@:/+~", max_size=30))
def test_what_is_sent_is_in_letters_that_may_be_and_stays_so(rest: str) -> None:
    sent = urls.as_sent(f"http://host/{rest}")
    assert sent.isascii()
    assert not set(" \"'é") & set(sent) - {"'"}
    assert urls.as_sent(sent) == sent


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("HTTPS://h/a%2Fb?s=%2B+x%3D", "https://h/a%2Fb?s=%2B+x%3D"),
        ("http://u:p@müller.de:80/é", "http://u:p@xn--mller-kva.de:80/%C3%A9"),
        ("http://[::1]:80/a b", "http://[::1]:80/a%20b"),
        ("http://h", "http://h"),
    ],
)
def test_urls_as_they_are_sent(url: str, sent: str) -> None:
    assert urls.as_sent(url) == sent


@given(st.binary())
def test_a_data_url_holds_bytes(data: bytes) -> None:
    assert urls.data_of("data:," + quote(data)) == data
    assert urls.data_of("data:image/png;base64," + base64.b64encode(data).decode()) == data


@pytest.mark.parametrize("url", ["data:", "data:x", "data:;base64,a", "data:;base64,a b="])
def test_one_that_holds_none_is_told(url: str) -> None:
    with pytest.raises(ValueError, match=r"needs a comma|is not in base64"):
        urls.data_of(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://h:1/a", "https://h:1/a"),
        ("https://u:p@h/a?x=1#y", "https://***@h/a?***#***"),
        ("https://token@h/a", "https://***@h/a"),
        ("https://h?email=a@b", "https://***@b"),
        ("sftp://u:p@q@h/@a", "sftp://u:***@h/@a"),
        ("sftp://u@h/a", "sftp://u@h/a"),
        ("s3://b/a#1?v=2", "s3://b/a#1?v=2"),
        ("s3://b/a?v=2", "s3://b/a?***"),
        ("abfs://container@account/a", "abfs://container@account/a"),
        ("simplecache::http://u:p@h/", "simplecache::http://***@h/"),
        ("data:," + 99 * "x", "data:," + 54 * "x" + "..."),
    ],
)
def test_urls_as_they_are_shown(url: str, shown: str) -> None:
    assert urls.shown(url) == shown


secrets = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1).map("SECRET".__add__)


@given(
    st.sampled_from(SCHEMES),
    secrets,
    st.sampled_from(["u:{}@h/a", "u:x?{}@h/a", "h/a?{}", "h/a?k={}&b#c", "{0}:{0}@h?{0}"]),
)
def test_no_secret_is_shown(scheme: str, secret: str, rest: str) -> None:
    url = f"{scheme}://{rest.format(secret)}"
    if rest.startswith("{0}") and scheme not in ("http", "https"):
        assert urls.shown(url).count("SECRET") == 1  # the name of a user
        return
    assert "SECRET" not in urls.shown(url)
    assert "SECRET" not in urls.scrubbed(f"failed at {url}, and at ('https://h/b?{secret}')", url)
