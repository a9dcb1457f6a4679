"""A lease is read as it was written, by its owner alone, and shows its secret to nobody."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from asyncflow.agent.__main__ import main
from asyncflow.backends.carried.lease import Lease

LEASE = Lease(
    ("10.0.0.3:51234", "[fe80::1]:51234"),
    bytes(range(32)),
    certificate="-----BEGIN CERTIFICATE-----\n...",
    engine="notebook of Ada",
    agent="slot-1",
    workers=2,
    variables={"OMP_NUM_THREADS": "1", "PÄTH": "/ü"},
)


def test_a_lease_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert Lease.from_text(LEASE.to_text()) == LEASE
    assert "\n" not in LEASE.to_text()
    LEASE.write(tmp_path / "run.lease")
    assert Lease.read(tmp_path / "run.lease") == LEASE
    bare = Lease(("host:1",), b"0" * 32)
    assert Lease.from_text(bare.to_text()) == bare


def test_a_lease_for_one_agent_differs_by_its_name_and_its_workers_alone() -> None:
    named = LEASE.named("slot-3", workers=5)
    assert (named.agent, named.workers) == ("slot-3", 5)
    assert LEASE.named("slot-3").workers == 2
    assert named.named("slot-1", workers=2) == LEASE


def test_whoever_prints_a_lease_does_not_see_the_secret() -> None:
    shown = repr(LEASE)
    assert "10.0.0.3" in shown
    assert LEASE.token.hex() not in shown
    assert repr(LEASE.token) not in shown
    assert "OMP_NUM_THREADS" not in shown  # values of an environment are often secrets, too


def test_only_its_owner_may_read_the_file_whatever_the_umask_is(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        LEASE.write(tmp_path / "run.lease")
    finally:
        os.umask(before)
    assert (tmp_path / "run.lease").stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["run.lease"]


def test_a_link_in_its_place_is_replaced_and_not_followed(tmp_path: Path) -> None:
    prey = tmp_path / "prey"
    prey.write_text("precious")
    (tmp_path / "run.lease").symlink_to(prey)
    LEASE.write(tmp_path / "run.lease")
    assert prey.read_text() == "precious"
    assert not (tmp_path / "run.lease").is_symlink()
    assert Lease.read(tmp_path / "run.lease") == LEASE


def test_a_file_that_others_could_read_before_keeps_no_reader(tmp_path: Path) -> None:
    (tmp_path / "run.lease").write_text("old")
    (tmp_path / "run.lease").chmod(0o644)
    with open(tmp_path / "run.lease") as opened_before:
        LEASE.write(tmp_path / "run.lease")
        assert opened_before.read() == "old"
    assert (tmp_path / "run.lease").stat().st_mode & 0o777 == 0o600


def test_nothing_is_left_of_a_lease_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "run.lease").mkdir()
    with pytest.raises(IsADirectoryError):
        LEASE.write(tmp_path / "run.lease")
    assert os.listdir(tmp_path) == ["run.lease"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602])
def test_a_file_that_others_may_read_or_write_is_not_believed(tmp_path: Path, mode: int) -> None:
    LEASE.write(tmp_path / "run.lease")
    (tmp_path / "run.lease").chmod(mode)
    with pytest.raises(PermissionError, match="chmod 600"):
        Lease.read(tmp_path / "run.lease")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_not_believed(tmp_path: Path) -> None:
    LEASE.write(tmp_path / "run.lease")
    os.chown(tmp_path / "run.lease", 12345, 12345)
    with pytest.raises(PermissionError, match="others than you"):
        Lease.read(tmp_path / "run.lease")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "null",
        "[1]",
        "secret-in-the-wrong-place",
        LEASE.to_text().replace('"lease": 1', '"lease": 2'),
        LEASE.to_text().replace(LEASE.token.hex(), "abcd"),
        LEASE.to_text().replace(LEASE.token.hex(), "not-hex-but-secret"),
        LEASE.to_text().replace('"workers": 2', '"workers": -1'),
        LEASE.to_text().replace('"workers": 2', '"workers": "2"'),
        LEASE.to_text().replace('"workers": 2', '"more": 2'),
        LEASE.to_text().replace('"10.0.0.3:51234"', "7"),
        LEASE.to_text()[:-9],
    ],
)
def test_what_is_no_lease_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ValueError, match="this is no lease") as caught:
        Lease.from_text(text)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert "secret" not in str(caught.value)
    assert LEASE.token.hex() not in str(caught.value)


def test_an_agent_without_its_lease_is_told_who_writes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--lease", str(tmp_path / "run.lease")])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert f"there is no lease '{tmp_path / 'run.lease'}'" in told
    assert "CarriedBackend(lease_file=...)" in told
