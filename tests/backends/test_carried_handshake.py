"""Nobody gets in who does not know the secret, and nothing that such a one sends is believed, unpickled or kept."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import os
import pickle
import re
import shlex
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import threading
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from carried_kit import TOKEN, Engine, Heard, Stranger, engine, framed

from asyncflow.backends.carried import handshake, listener
from asyncflow.backends.carried.dial import dial
from asyncflow.backends.carried.handshake import AgentSide, EngineSide, Hello, NotBelieved, Welcome
from asyncflow.backends.carried.lease import Lease
from asyncflow.backends.carried.listener import Listener
from asyncflow.backends.carried.tls import TLS
from asyncflow.errors import VersionMismatch

HELLO = Hello.here("slot 1", workers=2)


def proof(token: bytes, *said: bytes) -> bytes:
    """As the handshake has it, written anew."""
    return hmac.new(token, b"".join(struct.pack("!Q", len(s)) + s for s in said), "sha256").digest()


def answer(greeting: bytes, words: bytes, token: bytes = TOKEN, role: bytes = b"agent") -> bytes:
    """What an agent says."""
    ours, theirs = bytes(32), greeting[len(handshake.GREETING) :]
    return ours + proof(token, role, theirs, ours, words) + words


def words(**changed: object) -> bytes:
    return json.dumps(asdict(HELLO) | changed).encode()


class Bomb:
    """Leaves a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> object:
        return os.mkdir, (str(self._path),)


async def nobody_is_in(made: Engine) -> None:
    """And the next who may come in does."""
    agent, _, hello, _ = await made.agent()
    assert hello.name == "slot 1"
    assert made.joined.empty()
    assert made.refused.empty()
    agent.cut()
    await agent.gone


# -- who may come in --------------------------------------------------------------------------------------


async def test_an_agent_and_its_engine_know_of_each_other_who_they_are() -> None:
    async with engine() as made:
        agent, ours, hello, welcome = await made.agent()
        assert hello == Hello.here("slot 1", workers=2)
        assert (hello.pid, hello.host, hello.workers) == (os.getpid(), socket.gethostname(), 2)
        assert (welcome.engine, welcome.versions.python) == ("test", "{}.{}.{}".format(*sys.version_info[:3]))
        assert ours.peer.startswith("127.0.0.1:")
        agent.cut()
        await agent.gone


async def test_an_agent_without_a_name_is_known_by_machine_and_process() -> None:
    async with engine() as made:
        agent, _, hello, _ = await made.agent(lease=made.lease.named(""))
        assert hello.name == f"{socket.gethostname()}-{os.getpid()}"
        agent.cut()
        await agent.gone


async def test_the_handshake_as_it_is_described_lets_a_stranger_in_who_knows_the_secret() -> None:
    """What the other tests send would get in, if it were not for what they change."""
    async with engine() as made:
        async with Stranger(made.address) as stranger:
            await stranger.say(answer(await stranger.hear(), words()))
            said = await stranger.hear()
            await stranger.say(b"")
            _, hello = await made.joined.get()
        assert hello == HELLO
        assert json.loads(said[32:])["engine"] == "test"


@pytest.mark.parametrize(
    "said",
    [
        lambda greeting: answer(greeting, words(), token=b"\1" * 32),
        lambda greeting: answer(greeting, words(), token=b""),
        lambda greeting: answer(greeting, words(), role=b"engine"),
        lambda greeting: answer(greeting, words())[:-1],
        lambda greeting: answer(greeting, words()) + b" ",
        lambda greeting: b"\2" + answer(greeting, words())[1:],
        lambda greeting: answer(bytes(len(greeting)), words()),
        lambda greeting: greeting,
        lambda greeting: greeting[len(handshake.GREETING) :],
        lambda greeting: b"",
        lambda greeting: bytes(64),
        lambda greeting: os.urandom(200),
        lambda greeting: answer(greeting, b"no JSON"),
        lambda greeting: answer(greeting, b"[]"),
        lambda greeting: answer(greeting, b"[" * 10_000),
        lambda greeting: answer(greeting, words(pid="1")),
        lambda greeting: answer(greeting, words(pid=-1)),
        lambda greeting: answer(greeting, words(workers=True)),
        lambda greeting: answer(greeting, words(name=None)),
        lambda greeting: answer(greeting, words(name="x" * 1001)),
        lambda greeting: answer(greeting, words(versions=None)),
        lambda greeting: answer(greeting, words(versions={"python": "3"})),
    ],
)
async def test_who_does_not_show_the_secret_or_speaks_otherwise_is_not_let_in_and_told_nothing(
    said: object,
) -> None:
    assert callable(said)
    async with engine() as made:
        async with Stranger(made.address) as stranger:
            await stranger.say(said(await stranger.hear()))
            assert await stranger.is_closed() == b""
        await nobody_is_in(made)


async def test_no_pickle_of_an_unknown_peer_is_loaded(tmp_path: Path) -> None:
    bomb = pickle.dumps(Bomb(tmp_path / "exploded"))
    async with engine() as made:
        for data in (bomb, framed(bomb), framed(bytes(64) + bomb), framed(bytes(64)) + framed(bomb)):
            async with Stranger(made.address) as stranger:
                await stranger.hear()
                await stranger.send(data)
                stranger.socket.shutdown(socket.SHUT_WR)
                assert await stranger.is_closed() == b""
        async with Stranger(made.address) as stranger:  # in front of a handshake that would be good
            greeting = await stranger.hear()
            await stranger.send(framed(bomb) + framed(answer(greeting, words())))
            assert await stranger.is_closed() == b""
        async with Stranger(made.address) as stranger:  # in the place of what is said
            await stranger.say(answer(await stranger.hear(), bomb))
            assert await stranger.is_closed() == b""
        await nobody_is_in(made)
    assert not (tmp_path / "exploded").exists()
    with pytest.raises(FileExistsError):  # it would have gone off
        (tmp_path / "exploded").mkdir()
        pickle.loads(bomb)


BEFORE_IT_IS_KNOWN = [
    "addresses",
    "clocks",
    "dial",
    "frames",
    "handshake",
    "here",
    "lease",
    "listener",
    "tcp",
    "tls",
]


@pytest.mark.parametrize("name", BEFORE_IT_IS_KNOWN)
def test_what_runs_before_a_peer_is_known_can_load_no_pickle(name: str) -> None:
    source = (Path(handshake.__file__).parent / f"{name}.py").read_text()
    source = source.replace("json.loads(", "")
    assert not re.search(r"^\s*(import|from) (pickle|marshal)|load\(|loads\(|eval\(|exec\(", source, re.M)


async def test_a_recorded_handshake_lets_nobody_in_again() -> None:
    async with engine() as made:
        async with Stranger(made.address) as stranger:
            recorded = answer(await stranger.hear(), words())
            await stranger.say(recorded)
            await stranger.hear()
            await stranger.say(b"")
            await made.joined.get()
            async with Stranger(made.address) as again:  # while the first is still there, too
                await again.hear()
                await again.say(recorded)
                assert await again.is_closed() == b""
        await nobody_is_in(made)


async def test_no_two_connections_are_greeted_alike() -> None:
    async with engine() as made:
        greetings = set()
        for _ in range(20):
            async with Stranger(made.address) as stranger:
                greetings.add(await stranger.hear())
        assert len(greetings) == 20


async def test_the_answer_of_the_engine_to_one_connection_is_none_of_an_agent_on_another() -> None:
    """Its own words, and its own challenge, sent back to it."""
    async with engine() as made:
        async with Stranger(made.address) as first, Stranger(made.address) as second:
            greeting, other = await first.hear(), await second.hear()
            await first.say(answer(greeting, words()))
            said = await first.hear()
            await first.say(b"")
            await made.joined.get()
            await second.say(other[len(handshake.GREETING) :] + said)
            assert await second.is_closed() == b""
        await nobody_is_in(made)


def test_what_one_side_has_proved_proves_nothing_for_the_other() -> None:
    """An engine that is asked to prove itself by what an agent has said, and the other way round."""
    engine_side, agent_side = EngineSide(TOKEN, Welcome.here("test")), AgentSide(TOKEN, HELLO)
    said = agent_side.answer(engine_side.greeting())
    with pytest.raises(NotBelieved):
        agent_side.welcome(said[32:])
    _, welcome, _ = engine_side.answer(said)
    assert agent_side.welcome(welcome).engine == "test"
    with pytest.raises(NotBelieved):
        EngineSide(TOKEN, Welcome.here("test")).answer(said)
    with pytest.raises(NotBelieved):
        AgentSide(TOKEN, HELLO).welcome(welcome)
    with pytest.raises(NotBelieved):  # whoever sits between them changes a word
        agent_side.welcome(welcome.replace(b"test", b"tesu"))


def test_words_and_numbers_cannot_be_moved_from_one_to_the_next() -> None:
    one = handshake._proof(TOKEN, b"agent", b"ab", b"c")
    assert one != handshake._proof(TOKEN, b"agent", b"a", b"bc")
    assert one != handshake._proof(TOKEN, b"agentab", b"", b"c")
    assert one == proof(TOKEN, b"agent", b"ab", b"c")


# -- whom an agent believes -------------------------------------------------------------------------------


async def served(say: bytes | None) -> tuple[socket.socket, asyncio.Task[bytes]]:
    """A server that is not the engine; what its first visitor says."""
    server = socket.create_server(("127.0.0.1", 0))
    server.setblocking(False)

    async def serve() -> bytes:
        loop = asyncio.get_running_loop()
        connection, _ = await loop.sock_accept(server)
        with connection:
            connection.setblocking(False)
            await loop.sock_sendall(connection, framed(handshake.GREETING + bytes(32)))
            heard = await loop.sock_recv(connection, 1 << 16)
            if say is not None:
                await loop.sock_sendall(connection, framed(say))
                heard += await loop.sock_recv(connection, 1 << 16)
            return heard

    return server, asyncio.ensure_future(serve())


async def test_an_agent_does_not_believe_a_server_that_does_not_know_the_secret(tmp_path: Path) -> None:
    bomb = pickle.dumps(Bomb(tmp_path / "exploded"))
    welcome = json.dumps(asdict(Welcome.here("test"))).encode()
    for said in (bytes(32) + welcome, bomb, bytes(32) + bomb, b"", None):
        server, heard = await served(said)
        with server:
            lease = Lease((f"127.0.0.1:{server.getsockname()[1]}",), TOKEN, None, "test", "slot 1", 2)
            with pytest.raises(ConnectionError) as caught:
                await dial(lease)
            assert TOKEN not in await heard
        if said is not None:
            assert "does not know the secret of the lease" in str(caught.value)
        assert TOKEN.hex() not in str(caught.value)
    assert not (tmp_path / "exploded").exists()


async def test_an_agent_tries_all_addresses_of_its_engine_and_says_of_each_what_was_wrong() -> None:
    server, _ = await served(bytes(64))
    with server, socket.create_server(("127.0.0.1", 0)) as deaf:
        wrong = f"127.0.0.1:{server.getsockname()[1]}"
        silent = f"127.0.0.1:{deaf.getsockname()[1]}"
        tried = ("127.0.0.1:1", "nonsense", wrong, silent)
        async with engine() as made:
            lease = replace(made.lease, addresses=(*tried, *made.lease.addresses))
            agent, _, _, _ = await made.agent(lease=lease, within=0.3)
            agent.cut()
            await agent.gone
        with pytest.raises(ConnectionError) as caught:
            await dial(replace(lease, addresses=(*tried[:2], silent)), within=0.2)
    first, *each = str(caught.value).splitlines()
    assert first == "agent 'slot 1' did not reach its engine (test). It has tried:"
    assert [line.split(": ")[0].strip() for line in each] == ["127.0.0.1:1", "nonsense", silent]
    assert "no answer within 0.2 s" in each[2]
    assert "HOST:PORT is needed" in each[1]


# -- frames that are no handshake -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("!Q", (1 << 14) + 1),
        struct.pack("!Q", (1 << 63) - 1),
        struct.pack("!Q", 1 << 63),
        struct.pack("!Qd", 1 << 63 | 8, 1.0),
        framed(b"a") * 5,
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
        bytes(8),
    ],
)
async def test_what_is_no_handshake_is_cut_off_at_once_and_answered_nothing(data: bytes) -> None:
    async with engine(within=3600) as made:
        async with Stranger(made.address) as stranger:
            await stranger.hear()
            await stranger.send(data)
            assert await stranger.is_closed() == b""
        await nobody_is_in(made)


async def test_a_sign_of_life_or_a_question_for_the_time_of_who_is_not_known_is_not_answered() -> None:
    async with engine(within=3600) as made:
        async with Stranger(made.address) as stranger:
            await stranger.send(struct.pack("!Qd", 1 << 63 | 8, 1.0))
            said = await stranger.is_closed()
        assert len(said) in (0, 8 + len(handshake.GREETING) + 32)


async def test_who_says_nothing_or_little_by_little_is_closed_after_a_while() -> None:
    async with engine(within=0.3) as made:
        async with (
            Stranger(made.address) as silent,
            Stranger(made.address) as slow,
            Stranger(made.address) as stops,
        ):
            whole = framed(answer(await slow.hear(), words()))
            await stops.say(answer(await stops.hear(), words()))  # and never that it is ready
            gone = asyncio.ensure_future(slow.is_closed())
            for byte in whole:
                if gone.done():
                    break
                try:
                    await slow.send(bytes((byte,)))
                except ConnectionError:
                    break
                await asyncio.sleep(0.01)
            assert await gone == b""
            await silent.hear()
            assert await silent.is_closed() == b""
            await stops.hear()
            assert await stops.is_closed() == b""
        await nobody_is_in(made)


async def test_a_truncated_handshake_is_forgotten() -> None:
    async with engine(within=3600) as made:
        for cut in (0, 1, 8, 9, 40, 72, 100):
            async with Stranger(made.address) as stranger:
                await stranger.send(framed(answer(await stranger.hear(), words()))[:cut])
                stranger.socket.shutdown(socket.SHUT_WR)
                assert await stranger.is_closed() == b""
        await nobody_is_in(made)


async def test_a_thousand_garbage_connections_keep_no_agent_out_and_leave_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = len(os.listdir("/proc/self/fd"))
    async with engine(within=3600) as made:
        open_at_once = list[socket.socket]()
        try:
            for number in range(1000):
                stranger = socket.socket()
                stranger.setblocking(False)
                stranger.connect_ex(made.address)
                open_at_once.append(stranger)
                if number % 100 == 99:
                    await asyncio.sleep(0.01)
                    for each in open_at_once[-50:]:
                        try:
                            each.send(os.urandom(100))
                        except OSError:
                            pass
                if len(open_at_once) > 300:  # a process may have so many descriptors only
                    open_at_once.pop(0).close()
            assert len(made.listener._strangers) <= listener._STRANGERS
            # Those that say nothing are still there, and would be for an hour.
            agent, _, _, _ = await made.agent(within=30)
            agent.cut()
            await agent.gone
        finally:
            for each in open_at_once:
                each.close()
    assert len(os.listdir("/proc/self/fd")) == before
    told = [record for record in caplog.records if record.name == "asyncflow.agents"]
    assert 1 <= len(told) <= 3
    assert all(record.levelno == logging.WARNING for record in told)


async def test_a_hundred_agents_may_come_at_once() -> None:
    async with engine() as made:
        came = await asyncio.gather(*(made.agent() for _ in range(100)))
        for agent, _, _, _ in came:
            agent.cut()
            await agent.gone


async def test_refusals_are_told_once_and_then_counted(caplog: pytest.LogCaptureFixture) -> None:
    async with engine() as made:
        for _ in range(5):
            async with Stranger(made.address) as stranger:
                await stranger.say(answer(await stranger.hear(), words(), token=b"1" * 32))
                await stranger.is_closed()
    told = [record.getMessage() for record in caplog.records if record.name == "asyncflow.agents"]
    refused = "a connection from 127.0.0.1 was refused: it does not know the secret of this engine"
    assert told == [refused, f"4 more of that kind, the last: {refused}"]
    assert TOKEN.hex() not in caplog.text


async def test_closing_while_somebody_is_at_the_door_leaves_nothing() -> None:
    before = len(os.listdir("/proc/self/fd"))
    async with engine() as made:
        strangers = [Stranger(made.address) for _ in range(5)]
        await strangers[0].hear()
        await made.listener.close()
        for stranger in strangers:
            await stranger.is_closed()
            stranger.socket.close()
    assert len(os.listdir("/proc/self/fd")) == before


# -- encryption -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tls() -> TLS:
    pytest.importorskip("cryptography")
    return TLS.for_this_run()


async def test_an_agent_takes_no_certificate_but_that_of_its_lease(tls: TLS) -> None:
    async with engine(tls=TLS.for_this_run()) as made:
        with pytest.raises(ConnectionError, match="another certificate than the lease tells"):
            await dial(replace(made.lease, certificate=tls.certificate))
        await nobody_is_in(made)


async def test_an_agent_whose_lease_has_a_certificate_speaks_to_nobody_without(tls: TLS) -> None:
    """Somebody in between who says that the engine does not encrypt, hears nothing."""
    async with engine() as made:
        with pytest.raises(ConnectionError):
            await dial(replace(made.lease, certificate=tls.certificate), within=1)
        assert made.joined.empty()
    heard = list[bytes]()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(framed(handshake.GREETING + bytes(32)))
                while data := connection.recv(1 << 16):
                    heard.append(data)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(ConnectionError):
            await dial(
                Lease((f"127.0.0.1:{server.getsockname()[1]}",), TOKEN, tls.certificate, "", "slot 1"),
                within=1,
            )
        thread.join()
    assert b"slot 1" not in b"".join(heard)


async def test_an_engine_that_encrypts_hears_nobody_who_does_not(tls: TLS) -> None:
    async with engine(tls=tls, within=0.5) as made:
        with pytest.raises(ConnectionError):
            await dial(replace(made.lease, certificate=None))
        async with Stranger(made.address) as stranger:
            await stranger.say(answer(handshake.GREETING + bytes(32), words()))
            assert handshake.GREETING not in await stranger.is_closed()
        await nobody_is_in(made)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_1])
async def test_no_older_kind_of_encryption_is_spoken(tls: TLS, version: ssl.TLSVersion) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    with pytest.warns(DeprecationWarning) if version < ssl.TLSVersion.TLSv1_2 else _no_warning():
        old.minimum_version = old.maximum_version = version
    async with engine(tls=tls) as made:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection(*made.address, ssl=old)
        await nobody_is_in(made)


def _no_warning() -> object:
    from contextlib import nullcontext

    return nullcontext()


async def test_what_goes_over_the_network_encrypted_shows_nothing_of_what_is_sent(tls: TLS) -> None:
    seen = bytearray()
    async with engine(tls=tls) as made:
        host, port = made.address

        async def between(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there, back = await asyncio.open_connection(host, port)

            async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
                while data := await source.read(1 << 16):
                    seen.extend(data)
                    target.write(data)
                target.close()
                await target.wait_closed()

            await asyncio.gather(carry(reader, back), carry(there, writer), return_exceptions=True)

        middle = await asyncio.start_server(between, "127.0.0.1", 0)
        async with middle:
            address = "{}:{}".format(*middle.sockets[0].getsockname())
            agent, ours, _, _ = await made.agent(lease=replace(made.lease, addresses=(address,)))
            here, there = Heard(ours), Heard(agent)
            agent.send(b"the secret of life")
            ours.send(b"the secret of death")
            await here.until(1)
            await there.until(1)
            agent.close()
            await here.until_lost()
            await agent.gone
    assert len(seen) > 1000
    assert b"slot 1" not in seen and b"the secret of" not in seen and TOKEN not in seen


def test_the_key_of_a_certificate_is_never_in_a_file_system(tls: TLS) -> None:
    """Every file that is opened for writing while it is made, as the interpreter itself tells."""
    program = (
        "import sys; from asyncflow.backends.carried.tls import TLS; opened = []; "
        "sys.addaudithook(lambda name, facts: opened.append(facts) if name == 'open' and facts[2] & 3 else None); "
        "made = TLS.for_this_run(); print(opened, 'PRIVATE' in made.certificate)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "[] False\n"
    assert TLS.for_this_run().certificate != tls.certificate


async def test_a_certificate_of_the_cluster_may_be_used(tmp_path: Path) -> None:
    """Made by openssl, and `cryptography` is not asked."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    curve = "-newkey ec -pkeyopt ec_paramgen_curve:P-256"
    made_by = shlex.split(f"openssl req -x509 {curve} -nodes -days 2 -subj /CN=cluster")
    subprocess.run([*made_by, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    async with engine(tls=TLS.from_files(certificate, key)) as made:
        await nobody_is_in(made)


def test_without_what_makes_certificates_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(RuntimeError, match=re.escape('pip install "asyncflow-engine[cluster]"')):
        TLS.for_this_run()


def test_nothing_of_the_encryption_is_loaded_where_it_is_not_used() -> None:
    program = (
        "import sys, asyncflow.backends.carried.listener, asyncflow.backends.carried.dial; "
        "print('cryptography' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "203.0.113.7"])
def test_others_may_reach_the_engine_only_with_encryption_or_when_it_is_asked_for(host: str) -> None:
    def nobody(*_: object) -> None:
        raise AssertionError

    with pytest.raises(ValueError, match="without encryption"):
        Listener(TOKEN, joined=nobody, refused=nobody, host=host)
    Listener(TOKEN, joined=nobody, refused=nobody, host=host, insecure=True)


async def test_an_engine_that_all_may_reach_tells_several_addresses_and_one_of_them_is_right(
    tls: TLS,
) -> None:
    async with engine(host="0.0.0.0", insecure=True) as made:
        assert len(made.listener.addresses) == len(set(made.listener.addresses)) >= 1
        assert not any("0.0.0.0" in address for address in made.listener.addresses)
        assert not any("127." in address for address in made.listener.addresses)  # there it is another's
        await nobody_is_in(made)
    async with engine(host="0.0.0.0", tls=tls) as made:
        assert made.listener.addresses[-1].startswith("127.0.0.1:")
        await nobody_is_in(made)


async def test_an_engine_listens_where_it_is_told_to_and_nowhere_else() -> None:
    async with engine() as made:
        host, port = made.address
        assert host == "127.0.0.1"
        outside = {address.rpartition(":")[0] for address in _everywhere(port)} - {"127.0.0.1"}
        for each in outside:
            with pytest.raises(OSError):
                socket.create_connection((each.strip("[]"), port), timeout=5).close()


def _everywhere(port: int) -> list[str]:
    from asyncflow.backends.carried.addresses import candidates

    return [
        each for each in candidates("0.0.0.0", port, is_encrypted=True) if socket.gethostname() not in each
    ]


# -- versions ---------------------------------------------------------------------------------------------


def other(**versions: str) -> Hello:
    return replace(HELLO, host="node7", versions=replace(HELLO.versions, **versions))


@pytest.mark.parametrize(
    ("name", "version", "spelled"),
    [
        ("python", "3.99.1", "Python 3.99.1"),
        ("python", "PyPy 3.11.7", "Python PyPy 3.11.7"),
        ("cloudpickle", "1.0.0", "cloudpickle 1.0.0"),
        ("asyncflow", "0.0.9", "asyncflow 0.0.9"),
        ("protocol", "7", "protocol 7"),
    ],
)
async def test_an_agent_with_other_versions_is_refused_and_both_sides_say_both(
    name: str, version: str, spelled: str
) -> None:
    async with engine() as made:
        with pytest.raises(VersionMismatch) as at_the_agent:
            await dial(made.lease, hello=other(**{name: version}))
        at_the_engine = await made.refused.get()
        assert isinstance(at_the_engine, VersionMismatch)
        assert str(at_the_engine) == str(at_the_agent.value)
        assert (at_the_engine.agent, at_the_engine.host, at_the_engine.theirs) == ("slot 1", "node7", spelled)
        assert at_the_engine.ours.split()[-1] == getattr(HELLO.versions, name)
        await nobody_is_in(made)


@pytest.mark.parametrize(("name", "digits"), [("python", 2), ("cloudpickle", 2)])
async def test_versions_that_differ_in_their_last_part_fit(name: str, digits: int) -> None:
    same = ".".join(getattr(HELLO.versions, name).split(".")[:digits])
    async with engine() as made:
        agent, _, _, _ = await made.agent(hello=other(**{name: f"{same}.99"}))
        agent.cut()
        await agent.gone


@pytest.mark.parametrize("minor", sorted({11, 12, 13} - {sys.version_info.minor}))
async def test_another_python_really_is_refused(minor: int) -> None:
    """A process of it dials the engine of this one."""
    pythons = sorted(Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python"))
    if not pythons:
        pytest.skip(f"no Python 3.{minor} here")
    import asyncflow

    root = Path(asyncflow.__file__).parent.parent
    stands_in = "import sys, types; sys.modules['cloudpickle'] = types.SimpleNamespace(__version__='3.1.2'); "
    program = (
        f"{stands_in} sys.path.insert(0, {str(root)!r}); import asyncio; "
        "from asyncflow.backends.carried.dial import dial; from asyncflow.backends.carried.lease import Lease; "
        "asyncio.run(dial(Lease.from_text(sys.stdin.readline())))"
    )
    async with engine() as made:
        process = await asyncio.create_subprocess_exec(
            pythons[-1], "-c", program, stdin=subprocess.PIPE, stderr=subprocess.PIPE
        )
        _, err = await process.communicate(made.lease.to_text().encode() + b"\n")
        error = await made.refused.get()
    ours = "Python {}.{}.{}".format(*sys.version_info[:3])
    assert f"runs Python 3.{minor}." in str(error) and f"and the engine runs {ours}" in str(error)
    assert str(error).splitlines()[0].encode() in err


async def test_an_agent_of_a_time_to_come_says_more_and_is_understood() -> None:
    async with engine() as made:
        async with Stranger(made.address) as stranger:
            await stranger.say(
                answer(await stranger.hear(), words(gpus=8, versions=asdict(HELLO.versions) | {"new": "1"}))
            )
            await stranger.hear()
            await stranger.say(b"")
            _, hello = await made.joined.get()
        assert hello == HELLO
