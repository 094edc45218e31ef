"""The API with a certificate of its own: it speaks TLS and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from infra.postgres import Postgres
from models.errors import ConfigurationError
from tests.plugins.web import serving
from web.serve import Identity

pytestmark = pytest.mark.integration


def identity_in(folder: Path) -> Identity:
    """A certificate for 127.0.0.1 that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return Identity(certificate=str(folder / "certificate.pem"), key=str(folder / "key.pem"))


def test_with_a_certificate_it_speaks_tls_and_nothing_else(
    own_database: Postgres, tmp_path: Path
) -> None:
    identity = identity_in(tmp_path)
    with serving(own_database, identity=identity) as api:
        assert api.url.startswith("https://127.0.0.1:")
        with urllib3.PoolManager(ca_certs=identity.certificate, timeout=60, retries=False) as pool:
            assert pool.request("GET", f"{api.url}/healthz").json() == {"status": "ok"}
            plain = api.url.replace("https", "http")
            with pytest.raises(urllib3.exceptions.ProtocolError):
                pool.request("GET", f"{plain}/healthz")


def test_a_key_of_another_certificate_is_refused_at_the_start(
    own_database: Postgres, tmp_path: Path
) -> None:
    folders = tmp_path / "one", tmp_path / "other"
    for folder in folders:
        folder.mkdir()
    one, other = map(identity_in, folders)
    mixed = Identity(certificate=one.certificate, key=other.key)
    with (
        pytest.raises(ConfigurationError, match=r"web.certificate.* belong together"),
        serving(own_database, identity=mixed),
    ):
        pass
