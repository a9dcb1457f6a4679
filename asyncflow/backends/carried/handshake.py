"""How engine and agent find out that each knows the secret of the lease, before anything of either is taken in.

    engine -> agent    a greeting, and a number that is used once
    agent  -> engine   another such number; its proof; who it is
    engine -> agent    its proof; who it is
    agent  -> engine   an empty message: it is ready, and messages may follow in both directions

A proof is an HMAC, by the secret, over who speaks, both numbers and all that was said. So the secret itself never
travels, a proof fits no other connection, and one side's own proof sent back to it is none. Who has no proof is told
nothing: neither what was wrong with it nor who is here. What is said is JSON of a bounded size, and is read only once
its proof holds.
Here are the words; `listener.py` and `dial.py` say them.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
from dataclasses import asdict, dataclass
from typing import Final

from ...errors import VersionMismatch
from .here import Versions, host_name, node, versions

MOST: Final = 1 << 14
"""Bytes of a message of the handshake."""
GREETING: Final = b"asyncflow agents 1\n"
"""Begins what the engine says first. Its number changes only if the handshake itself does."""
_NONCE: Final = 32
_PROOF: Final = 32
_TEXT: Final = 1000  # characters of anything that is said
_AGENT: Final = b"agent"
_ENGINE: Final = b"engine"


class NotBelieved(ConnectionError):
    """The other side does not know the secret, or does not speak as it should."""


@dataclass(frozen=True)
class Hello:
    """Who an agent is.

    Attributes:
        name: of the agent.
        host: name of its machine.
        pid: of its process.
        node: the same for all agents that share a machine with its files and processes, and for no other.
        workers: processes that it runs.
        versions: of what has to be the same on both sides.
    """

    name: str
    host: str
    pid: int
    node: str
    workers: int
    versions: Versions

    @classmethod
    def here(cls, name: str = "", *, workers: int) -> Hello:
        """What an agent in this process says of itself.

        Args:
            name: of the agent; "" for one that tells machine and process.
            workers: processes that it runs.
        """
        host, pid = host_name(), os.getpid()
        return cls(name or f"{host}-{pid}", host, pid, node(), workers, versions())


@dataclass(frozen=True)
class Welcome:
    """Who the engine is.

    Attributes:
        engine: whose it is, for messages.
        host: name of its machine.
        node: as for `Hello`.
        versions: as for `Hello`.
    """

    engine: str
    host: str
    node: str
    versions: Versions

    @classmethod
    def here(cls, engine: str) -> Welcome:
        """What an engine in this process says of itself.

        Args:
            engine: whose it is, for messages.
        """
        return cls(engine, host_name(), node(), versions())


class EngineSide:
    """The engine's words in one handshake.

    Args:
        token: the secret.
        welcome: who the engine is.
    """

    def __init__(self, token: bytes, welcome: Welcome) -> None:
        self._token = token
        self._welcome = welcome
        self._ours = secrets.token_bytes(_NONCE)

    def greeting(self) -> bytes:
        """What is said first."""
        return GREETING + self._ours

    def answer(self, said: bytes) -> tuple[Hello, bytes, VersionMismatch | None]:
        """Who the agent is; what it is told; and the error, if it cannot work for this engine.

        Args:
            said: by the agent.

        Raises:
            NotBelieved: it does not know the secret, or does not speak as an agent does.
        """
        theirs, proof, words = said[:_NONCE], said[_NONCE : _NONCE + _PROOF], said[_NONCE + _PROOF :]
        if not hmac.compare_digest(proof, _proof(self._token, _AGENT, self._ours, theirs, words)):
            raise NotBelieved("it does not know the secret of this engine")
        hello = _hello(words)
        welcome = json.dumps(asdict(self._welcome)).encode()
        # Over what the agent has said, too: it was not changed on its way.
        proof = _proof(self._token, _ENGINE, self._ours, theirs, words, welcome)
        return hello, proof + welcome, _mismatch(hello, self._welcome)


class AgentSide:
    """The agent's words in one handshake.

    Args:
        token: the secret.
        hello: who the agent is.
    """

    def __init__(self, token: bytes, hello: Hello) -> None:
        self._token = token
        self._hello = hello
        self._words = json.dumps(asdict(hello)).encode()
        self._ours = secrets.token_bytes(_NONCE)
        self._theirs = b""

    def answer(self, greeting: bytes) -> bytes:
        """What is said to a greeting.

        Args:
            greeting: of the engine.

        Raises:
            NotBelieved: it is none.
        """
        if len(greeting) != len(GREETING) + _NONCE or not greeting.startswith(GREETING):
            raise NotBelieved("no engine of this kind answers there")
        self._theirs = greeting[len(GREETING) :]
        proof = _proof(self._token, _AGENT, self._theirs, self._ours, self._words)
        return self._ours + proof + self._words

    def welcome(self, said: bytes) -> Welcome:
        """Who the engine is.

        Args:
            said: by the engine.

        Raises:
            NotBelieved: it does not know the secret: it is not the engine of the lease.
            VersionMismatch: it refuses this agent, whose versions differ from its own.
        """
        proof, words = said[:_PROOF], said[_PROOF:]
        due = _proof(self._token, _ENGINE, self._theirs, self._ours, self._words, words)
        if not hmac.compare_digest(proof, due):
            raise NotBelieved("who answers there does not know the secret of the lease")
        welcome = _welcome(words)
        mismatch = _mismatch(self._hello, welcome)
        if mismatch is not None:
            raise mismatch
        return welcome


def _proof(token: bytes, *said: bytes) -> bytes:
    """Each with its length before it, so that nothing can be moved from one to the next."""
    lengths = (len(part).to_bytes(8, "big") + part for part in said)
    return hmac.digest(token, b"".join(lengths), "sha256")


def _mismatch(hello: Hello, welcome: Welcome) -> VersionMismatch | None:
    differing = welcome.versions.differing(hello.versions)
    return VersionMismatch(hello.name, hello.host, *differing) if differing is not None else None


def _hello(words: bytes) -> Hello:
    facts = _facts(words)
    return Hello(
        name=_text(facts, "name"),
        host=_text(facts, "host"),
        pid=_number(facts, "pid"),
        node=_text(facts, "node"),
        workers=_number(facts, "workers"),
        versions=_versions(facts),
    )


def _welcome(words: bytes) -> Welcome:
    facts = _facts(words)
    return Welcome(
        engine=_text(facts, "engine"),
        host=_text(facts, "host"),
        node=_text(facts, "node"),
        versions=_versions(facts),
    )


def _facts(words: bytes) -> dict[str, object]:
    try:
        facts = json.loads(words)
    except (ValueError, RecursionError):
        facts = None
    if not isinstance(facts, dict):
        raise NotBelieved("it knows the secret, but does not speak as it should")
    return facts


def _versions(facts: dict[str, object]) -> Versions:
    said = facts.get("versions")
    if not isinstance(said, dict):
        raise NotBelieved("it does not say its versions")
    return Versions(**{name: _text(said, name) for name in Versions.names()})


def _text(facts: dict[str, object], name: str) -> str:
    fact = facts.get(name)
    if not isinstance(fact, str) or len(fact) > _TEXT:
        raise NotBelieved(f"what it says of its {name!r} is not understood")
    return fact


def _number(facts: dict[str, object], name: str) -> int:
    fact = facts.get(name)
    if type(fact) is not int or not 0 <= fact < 1 << 32:
        raise NotBelieved(f"what it says of its {name!r} is not understood")
    return fact
