"""What an agent has to know to find its engine, and to be believed by it."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final

_FORM: Final = 1
_MOST: Final = 1 << 20  # bytes of a lease; a longer one is none
_LEAST: Final = 16  # bytes of a secret; a shorter one can be guessed


@dataclass(frozen=True)
class Lease:
    """The way to an engine, with the secret that lets an agent in.

    Whoever has it may run code as whoever runs the engine and its agents. It is handed over on the standard input of an
    agent or in a file that only its owner may read; never on a command line or in an environment, which others can
    read.

    Attributes:
        addresses: of the engine, ``"host:port"``; they are tried in turn.
        token: the secret.
        certificate: of the engine, as PEM text, the only one that an agent takes for the engine's; None if there is
            no encryption.
        engine: of whose the lease is, for messages.
        agent: the name of the agent, for messages, chosen by whoever starts it; "" lets it name itself.
        workers: processes that the agent runs; 0 for as many as it has processors.
        variables: added to the environment of those.
    """

    addresses: tuple[str, ...]
    token: bytes = field(repr=False)
    certificate: str | None = field(default=None, repr=False)
    engine: str = ""
    agent: str = ""
    workers: int = 0
    variables: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    def named(self, agent: str, *, workers: int | None = None) -> Lease:
        """The lease for one agent.

        Args:
            agent: its name.
            workers: processes that it runs; None for as many as here.
        """
        return replace(self, agent=agent, workers=self.workers if workers is None else workers)

    def to_text(self) -> str:
        """The lease in one line, to be read by `from_text`."""
        facts = asdict(self) | {"token": self.token.hex(), "variables": dict(self.variables), "lease": _FORM}
        return json.dumps(facts)

    @classmethod
    def from_text(cls, text: str) -> Lease:
        """Read what `to_text` wrote.

        Args:
            text: the line.

        Raises:
            ValueError: it is no lease. The message shows nothing of what it is.
        """
        lease = _read(text)
        if lease is None:
            raise ValueError(
                "this is no lease: one line as an engine writes it was expected.\n"
                "  CarriedBackend(lease_file=...) writes one to a file for:  python -m asyncflow.agent --lease FILE"
            )
        return lease

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the lease to a file that only its owner may read, in one piece: a reader sees all of it or none.

        A file that was there is replaced; where the path is a link, the link is, and not what it leads to.

        Args:
            path: of the file.
        """
        path = Path(path)
        # In the same folder, so that it can be renamed; a name that nobody can have made ready before.
        new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(file, "w", encoding="ascii") as stream:
                os.fchmod(file, 0o600)  # a umask can only have taken away, a default ACL may have given
                stream.write(self.to_text() + "\n")
            os.replace(new, path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise

    def forget(self, path: str | os.PathLike[str]) -> None:
        """Remove the file that `write` wrote, unless it holds another lease by now, or is not there.

        Args:
            path: of the file.
        """
        with suppress(OSError, ValueError):
            if Lease.read(path).token == self.token:
                os.unlink(path)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Lease:
        """Read a file that `write` wrote.

        Args:
            path: of the file.

        Raises:
            ValueError: it is no lease.
            PermissionError: others may read or write it, or it belongs to somebody else: the secret may be known, or
                be another's.
        """
        with open(path, encoding="ascii", errors="replace") as stream:
            facts = os.fstat(stream.fileno())
            if facts.st_mode & 0o077 or facts.st_uid != os.geteuid():
                raise PermissionError(
                    f"{os.fspath(path)!r} holds the secret of an engine, and others than you may read or write "
                    "it.\n  Make it your own:  chmod 600, and have the engine write it anew"
                )
            return cls.from_text(stream.read(_MOST))


def _read(text: str) -> Lease | None:
    """What json or bytes.fromhex say of what they cannot read may show a part of the secret, so it ends here."""
    try:
        facts = json.loads(text)
        form = facts.pop("lease")
        token = bytes.fromhex(facts.pop("token"))
        if form != _FORM or len(token) < _LEAST or not all(_FITS[name](fact) for name, fact in facts.items()):
            return None
        return Lease(token=token, **facts | {"addresses": tuple(facts["addresses"])})
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        return None


def _is_text(fact: object) -> bool:
    return isinstance(fact, str)


_FITS: Final[dict[str, Callable[[object], bool]]] = {
    "addresses": lambda fact: isinstance(fact, list) and bool(fact) and all(map(_is_text, fact)),
    "certificate": lambda fact: fact is None or _is_text(fact),
    "engine": _is_text,
    "agent": _is_text,
    "workers": lambda fact: type(fact) is int and fact >= 0,
    "variables": lambda fact: isinstance(fact, dict) and all(map(_is_text, fact.values())),
}
