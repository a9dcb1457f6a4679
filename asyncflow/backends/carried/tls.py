"""Encryption for the connections to agents: a certificate made for one run, which the lease tells agents to expect."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

_NAME: Final = "asyncflow"
_LASTS: Final = timedelta(
    days=3650
)  # longer than any run; it is worth nothing once its key is gone with the engine
_SLOW_CLOCKS: Final = timedelta(days=2)


@dataclass(frozen=True)
class TLS:
    """The engine's certificate with its key.

    Attributes:
        server: what the engine's side of each connection uses.
        certificate: as PEM text. Agents take no other for the engine's, whoever has signed it.
    """

    server: ssl.SSLContext
    certificate: str

    @classmethod
    def for_this_run(cls) -> TLS:
        """A new certificate, the key of which is never on a disk.

        Raises:
            RuntimeError: what makes certificates is not installed.
        """
        certificate, key = _made()
        file = os.memfd_create("asyncflow-key", os.MFD_CLOEXEC)
        try:
            os.write(file, certificate + key)
            return cls(_serving(f"/proc/self/fd/{file}", None), certificate.decode())
        finally:
            os.close(file)

    @classmethod
    def from_files(cls, certificate: str | os.PathLike[str], key: str | os.PathLike[str]) -> TLS:
        """A certificate that there is, as that of a cluster's own ``Security``.

        Args:
            certificate: PEM file; of several in it, the first is the engine's own.
            key: PEM file of its private key.
        """
        pem = Path(certificate).read_text()
        return cls(_serving(os.fspath(certificate), os.fspath(key)), _first(pem))


def client_context(certificate: str) -> ssl.SSLContext:
    """What an agent uses to connect to the engine that has this certificate.

    Args:
        certificate: PEM text.

    Raises:
        ValueError: it is no certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # Which of the addresses leads to the engine says nothing of who answers there. Its certificate does, and
    # `is_pinned` holds it to that, byte by byte: the library's own check would need whoever has signed it.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    ssl.PEM_cert_to_DER_cert(certificate)
    return context


def is_pinned(connection: ssl.SSLObject, certificate: str) -> bool:
    """Whether the other side of a connection has proved to own the certificate.

    Args:
        connection: which has completed its handshake.
        certificate: PEM text.
    """
    return connection.getpeercert(binary_form=True) == ssl.PEM_cert_to_DER_cert(certificate)


def _serving(certificate: str, key: str | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(certificate, key)
    return context


def _first(pem: str) -> str:
    end = "-----END CERTIFICATE-----"
    start = pem.index("-----BEGIN CERTIFICATE-----")
    return pem[start : pem.index(end, start) + len(end)] + "\n"


def _made() -> tuple[bytes, bytes]:
    """A certificate that signs itself, and its key."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError as error:
        raise RuntimeError(
            "agents on other machines need encryption, and the package 'cryptography', which makes a certificate for "
            'this run, is not installed.\n  Install it:  pip install "asyncflow-engine[cluster]"'
        ) from error
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, _NAME)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SLOW_CLOCKS)
        .not_valid_after(now + _LASTS)
        .sign(key, hashes.SHA256())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )
