"""What is on a node: the directory of an engine's agents, which goes with the last of them, and the contents in it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from asyncflow._core.carried_files import FILE, LINK, Entry, entry_of
from asyncflow._files.contents import BLOCK, Store, digest_of, digest_of_small
from asyncflow._files.entries import put_up
from asyncflow.backends.carried.node_folder import NodeFolder, folder_of, sweep


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return folder_of(b"secret")


def test_its_name_follows_from_the_token_and_does_not_tell_it(folder: Path) -> None:
    assert folder == folder_of(b"secret") != folder_of(b"another")
    assert b"secret".hex() not in folder.name


def test_it_goes_with_the_last_that_uses_it(folder: Path) -> None:
    one, two = NodeFolder(folder), NodeFolder(folder)
    (folder / "store").mkdir()
    one.close()
    assert (folder / "store").is_dir()
    two.close()
    assert not folder.exists()


def test_only_its_user_can_look_into_it(folder: Path) -> None:
    used = NodeFolder(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    used.close()


def test_a_link_that_somebody_has_put_there_is_not_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    folder.symlink_to(tmp_path / "other")
    with pytest.raises(PermissionError, match="is somebody else's"):
        NodeFolder(folder)
    assert list((tmp_path / "other").iterdir()) == []


def test_what_a_killed_process_has_left_is_cleared_away_by_the_next(folder: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from asyncflow.backends.carried.node_folder import NodeFolder\n"
        "used = NodeFolder(Path(sys.argv[1])); print('up', flush=True); sys.stdin.read()"
    )
    argv = [sys.executable, "-c", code, str(folder)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        (folder / "left").write_text("over")
        sweep(tmp_path)
        assert (folder / "left").exists()  # it is used
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    sweep(tmp_path)
    assert not folder.exists()


def test_a_content_that_somebody_has_written_to_is_no_longer_given(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    store, made = Store(tmp_path / "store"), tmp_path / "made"
    made.write_text("whole")
    with open(made, "r+") as late:  # by somebody who has it open still
        digest = store.take(made)
        assert digest in store
        store.give(digest, tmp_path / "copy", lambda: True)
        assert (tmp_path / "copy").read_text() == "whole"
        late.write("spoilt")
    assert digest not in store
    with pytest.raises(LookupError):
        store.give(digest, tmp_path / "another", lambda: True)


def test_checksums_do_not_depend_on_holes(tmp_path: Path) -> None:
    with open(tmp_path / "holes", "wb") as file:
        file.seek(3 * BLOCK)
        file.write(b"end")
    (tmp_path / "zeros").write_bytes(bytes(3 * BLOCK) + b"end")
    (tmp_path / "longer").write_bytes(bytes(3 * BLOCK) + b"end\0")
    assert digest_of(tmp_path / "holes") == digest_of(tmp_path / "zeros") != digest_of(tmp_path / "longer")


def test_a_file_that_comes_other_than_it_was_said_to_be_is_not_kept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    arriving = store.begin()
    arriving.write(0, b"one")
    with pytest.raises(ValueError, match="after block 0"):
        arriving.write(0, b"two")
    with pytest.raises(ValueError, match="was changed while it was on its way"):
        store.arrived(arriving, 3, digest_of_small(b"two"))
    arriving.drop()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["/etc/passwd", "a/../../b", "", "a//b", "a/.", "a\0b"])
def test_names_that_lead_out_of_a_sandbox_are_refused_when_they_come(name: str) -> None:
    with pytest.raises(ValueError, match="leads out of the sandbox"):
        entry_of((name, FILE, 0o644, 0, 1, b"", "", None))
    with pytest.raises(TypeError, match="is no file"):
        entry_of(("a", FILE, "0o644", 0, 1, b"", "", None))


def test_a_link_among_what_comes_cannot_have_a_file_written_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "sandbox").mkdir()
    entries = [
        Entry("out", LINK, 0o777, 0, 0, None, str(tmp_path)),
        Entry("out/file", FILE, 0o644, 0, 1, b"", ""),
    ]
    with pytest.raises(ValueError, match="leads out of the sandbox through a link"):
        put_up(entries, tmp_path / "sandbox", lambda entry, target: None, lambda: True)


def test_nothing_is_written_to_find_out_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "missing"))
    monkeypatch.setenv("TEMP", str(tmp_path))
    before = tmp_path.stat().st_mtime_ns
    assert folder_of(b"secret").parent == tmp_path
    assert tmp_path.stat().st_mtime_ns == before
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.delenv(name, raising=False)
    assert folder_of(b"secret").parent == Path("/tmp")
