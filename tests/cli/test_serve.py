"""``asyncflow serve``, as a shell runs it: where it serves, who may ask, how it ends."""

from __future__ import annotations

import json
import os
import signal
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from shutil import which
from typing import Any

import httpx
import pytest

from .kit import PROGRAM, Here

JOBS = """
import asyncio
from pathlib import Path
from asyncflow import Graph, WorkflowEngine, step

print("loaded")
engine = WorkflowEngine()
graph = Graph({"a": step(len, "abc")})

@engine.function_task
def where(path: Path, times: int, kind: str = "") -> str:
    return type(path).__name__ * times

@engine.block
async def nap(seconds: float) -> str:
    print("a nap begins")
    await asyncio.sleep(seconds)
    return "rested"

def many(count: int):
    yield from range(count)

tasks_of_many = engine.function_task(many)

async def plain(texts: list[str]) -> list[str]:
    return [await where(Path(each), 1) for each in texts]
"""


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    path = tmp_path / "jobs.py"
    path.write_text(JOBS)
    return path


class Serving:
    """The command while it runs, and a client that knows its token."""

    def __init__(self, process: subprocess.Popen[str], **options: Any) -> None:
        self.process = process
        assert process.stdout is not None
        self.facts: dict[str, Any] = json.loads(process.stdout.readline())
        token = os.environ.get("ASYNCFLOW_TOKEN", "")
        if self.facts["token_file"]:
            token = Path(self.facts["token_file"]).read_text()
        headers = {"authorization": f"Bearer {token}"}
        self.client = httpx.Client(base_url=self.facts["url"], headers=headers, timeout=60, **options)

    def end(self, number: int = signal.SIGINT) -> tuple[int, str]:
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err


@contextmanager
def serving(*arguments: str | Path, **options: Any) -> Iterator[Serving]:
    command = [*PROGRAM, "serve", "--port", "0", "--json", *map(str, arguments)]
    pipe = subprocess.PIPE
    folder = Path(
        str(arguments[0]).partition(":")[0]
    ).parent  # nothing is left behind by those that are killed here
    environment = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment) as process:
        try:
            there = Serving(process, **options)
            with there.client:
                yield there
        finally:
            process.kill()


def test_it_says_where_it_serves_in_lines_that_work_and_ends_with_ctrl_c(jobs: Path) -> None:
    command = [*PROGRAM, "serve", f"{jobs}:where", f"{jobs}:nap", "--port", "0"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(9)]
        assert said.count("loaded\n") == 1
        assert said[1].startswith("Jobs are taken at http://127.0.0.1:")
        token = Path(said[2].removeprefix("The token is in ").rstrip(".\n"))
        assert stat.S_IMODE(token.stat().st_mode) == 0o600
        lines = [line.strip() for line in said if line.startswith("  curl")]
        assert len(lines) == 2 and token.read_text() not in "".join(said)
        if which("curl"):
            for line in lines:
                answer = subprocess.run(["sh", "-c", f"{line} -s"], capture_output=True, check=True).stdout
                assert json.loads(answer)["state"] in {"RUNNING", "SUCCEEDED"}
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert not token.exists() and not token.parent.exists()


def test_several_targets_are_served_at_once_and_functions_too(jobs: Path) -> None:
    with serving(
        f"{jobs}:where", f"{jobs}:plain", "--concurrency", "1", "--queue", "0", f"{jobs}:nap"
    ) as there:
        client = there.client
        answer = client.post("/plain", json={"texts": ["a", "b"]})
        assert client.get(answer.headers["location"] + "/result?wait=30").json()["value"] == ["PosixPath"] * 2
        assert set(client.get("/openapi.json").json()["paths"]) >= {"/where", "/plain", "/nap"}
        assert client.post("/nap", json={"seconds": 300}).status_code == 202
        assert client.post("/nap", json={"seconds": 0}).status_code == 429
        assert httpx.get(f"{there.facts['url']}/where").status_code == 401
        assert client.get("/where", headers={"host": "evil.example"}).status_code == 421


def test_jobs_that_run_may_end_and_then_so_does_it(jobs: Path) -> None:
    with serving(f"{jobs}:nap") as there:
        job = there.client.post("/nap", json={"seconds": 0.5}).json()["id"]
        code, err = there.end(signal.SIGTERM)
        assert code == 0 and "1 job under way" in err and job not in err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_jobs_that_do_not_end_in_time_are_cancelled_and_named(jobs: Path, number: int, code: int) -> None:
    with serving(f"{jobs}:nap", "--drain", "0.05") as there:
        job = there.client.post("/nap", json={"seconds": 300}).json()["id"]
        ended, err = there.end(number)
        assert ended == code and f"1 job cancelled: {job}" in err
        assert "Traceback" not in err


def test_a_token_may_be_given_by_a_variable_or_a_file(
    jobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    with serving(f"{jobs}:where", "--token-file", file) as there:
        assert there.client.get("/where").status_code == 200
        assert there.end()[0] == 0
    token = file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and len(token) >= 32
    monkeypatch.setenv("ASYNCFLOW_TOKEN", "a-token-of-ours")
    with serving(f"{jobs}:where") as there:
        assert there.facts["token_file"] is None and "$ASYNCFLOW_TOKEN" in there.facts["curl"]["where"]
        assert there.client.get("/where").status_code == 200


def test_other_machines_are_served_with_tls(jobs: Path, tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path)
    context = ssl.create_default_context(cafile=str(certificate))
    options = ["--host", "0.0.0.0", "--cert", certificate, "--key", key, "--allow-host", "jobs.example"]
    with serving(f"{jobs}:where", *options, verify=context) as there:
        url = there.facts["url"].replace("0.0.0.0", "127.0.0.1")
        assert url.startswith("https://") and "https://127.0.0.1:" in there.facts["curl"]["where"]
        assert there.client.get(f"{url}/where").status_code == 200
        assert there.client.get(f"{url}/where", headers={"host": "jobs.example"}).status_code == 200
        assert there.client.get(f"{url}/where", headers={"host": "evil.example"}).status_code == 421


def _certificate(folder: Path) -> tuple[Path, Path]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    certificate, secret = folder / "cert.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(pem))
    secret.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, secret


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["{jobs}:where", "--host", "0.0.0.0"], "tokens and results would go over the network"),
        (["{jobs}:graph"], "graph is a graph, which takes no arguments"),
        (["{jobs}:many"], "yields many values, and what is called here gives one"),
        (["{jobs}:tasks_of_many"], "tasks_of_many"),
        (["{jobs}:wher"], "has no 'wher'; did you mean 'where'?"),
        (["{jobs}:where", "{other}:where"], "two targets are called 'where'"),
        (["{jobs}:where", "--token-file", "{open}"], "others on this machine can read it"),
        (["{jobs}:where", "--token-file", "{short}"], "at least 8 letters"),
        (["{jobs}:where", "--token-file", "{folder}/no/such"], "No such file or directory"),
        (["{jobs}:where", "--cert", "{folder}/none.pem"], "none.pem"),
        (["{jobs}:where", "--key", "key.pem"], "--key key.pem: a key is of no use without its certificate"),
        (["{jobs}:where", "--allow-host", "a.org:80"], "--allow-host a.org:80: a name alone is needed"),
        (["{jobs}:where", "--port", "99999"], "'99999': a whole number is needed, 0 to 65535"),
        ([], "Missing argument"),
    ],
)
def test_what_cannot_be_served_is_refused_in_words(
    here: Here, jobs: Path, tmp_path: Path, arguments: list[str], told: str
) -> None:
    other, short, opened = tmp_path / "other.py", tmp_path / "short", tmp_path / "open"
    other.write_text(JOBS)
    short.write_text("short")
    short.chmod(0o600)
    opened.write_text("a long enough token".replace(" ", "-"))
    opened.chmod(0o644)
    places = {"jobs": jobs, "other": other, "open": opened, "short": short, "folder": tmp_path}
    said = here("serve", *(each.format(**places) for each in arguments))
    assert said.code == 2, said.err
    assert told in said.err and "Traceback" not in said.err


def test_a_port_that_is_taken_is_told(here: Here, jobs: Path) -> None:
    with serving(f"{jobs}:where") as there:
        said = here("serve", f"{jobs}:where", "--port", there.facts["url"].rpartition(":")[2])
    assert said.code == 2 and "could not listen on 127.0.0.1" in said.err and "in use" in said.err


def test_without_the_extra_it_says_what_to_install(
    here: Here, jobs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [
        name for name in sys.modules if name.startswith(("asyncflow.serve.http", "asyncflow.cli.serv"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    said = here("serve", f"{jobs}:where")
    assert said.code == 2 and 'pip install "asyncflow-engine[serve]"' in said.err


def test_an_error_of_the_file_is_shown_as_python_would(here: Here, tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("raise ValueError('no luck')\n")
    said = here("serve", f"{path}:x")
    assert said.code == 1 and "ValueError: no luck" in said.err
