"""Encrypted SMTP, with a certificate made for the test."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.channels.mail_server import MailServer
from tests.channels.test_smtp import MAIL

from journeyflow.channels.factory import open_channel
from journeyflow.core.errors import Unavailable

pytest.importorskip("cryptography")

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate of 127.0.0.1 in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2120, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "mail.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def tls_server(certificate: Path) -> Iterator[MailServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = MailServer(tls=context)
    server.start()
    yield server
    server.stop()


def deliver_and_check(url: str) -> str:
    async def run() -> str:
        channel = open_channel(url)
        try:
            await channel.deliver(MAIL)
            return await channel.check()
        finally:
            await channel.close()

    return asyncio.run(run())


@pytest.mark.parametrize("tls", ["starttls", "if_offered"])
def test_a_mail_goes_out_encrypted_where_the_certificate_is_trusted(
    tls_server: MailServer, certificate: Path, tls: str
) -> None:
    url = f"smtp://127.0.0.1:{tls_server.port}?tls={tls}&timeout=5&ca={certificate}"

    assert "encrypted" in deliver_and_check(url).split(", ")
    assert len(tls_server.envelopes) == 1


@pytest.mark.parametrize("tls", ["starttls", "if_offered"])
def test_nothing_goes_out_where_the_certificate_is_not_trusted(tls_server: MailServer, tls: str) -> None:
    with pytest.raises(Unavailable, match="certificate verify failed"):
        deliver_and_check(f"smtp://127.0.0.1:{tls_server.port}?tls={tls}&timeout=5")
    assert tls_server.envelopes == []


def test_a_certificate_file_that_is_missing_is_said(tls_server: MailServer) -> None:
    with pytest.raises(Unavailable, match="No such file"):
        deliver_and_check(f"smtp://127.0.0.1:{tls_server.port}?tls=starttls&timeout=5&ca=/nowhere.pem")
