"""The acquirer's certificate authority and server certificates: P-256, X.509 v3 (RFC 5280)."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_DAYS = 3650
SERVER_DAYS = 397  # what public authorities are held to; a pinned one need not be laxer

# A terminal whose clock starts at its build time may be behind: certificates begin a day early.
_EARLY = timedelta(days=1)


@dataclass(frozen=True)
class Credentials:
    """A certificate with its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return private_pem(self.key)


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """PKCS #8 PEM, unencrypted: the file's mode is what guards it."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def load_private(pem: bytes) -> ec.EllipticCurvePrivateKey:
    """A P-256 private key from PEM. Raises ValueError."""
    key = serialization.load_pem_private_key(pem, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("not an elliptic curve key")
    return key


def load(certificate_pem: bytes, key_pem: bytes) -> Credentials:
    """A certificate with its key from PEM."""
    return Credentials(x509.load_pem_x509_certificate(certificate_pem), load_private(key_pem))


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(**set_bits: bool) -> x509.KeyUsage:
    bits = dict.fromkeys(
        (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(**(bits | set_bits))


def make_ca(common_name: str, now: datetime | None = None) -> Credentials:
    """A new self-signed authority that signs server certificates only (path length 0)."""
    now = now or datetime.now(UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name(common_name))
        .issuer_name(_name(common_name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLY)
        .not_valid_after(now + timedelta(days=CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Credentials(certificate, key)


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def issue(
    ca: Credentials,
    names: list[str],
    not_before: datetime | None = None,
    not_after: datetime | None = None,
) -> Credentials:
    """A server certificate for `names` (host names or addresses; the first is the common name)."""
    now = datetime.now(UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name(names[0]))
        .issuer_name(ca.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before or now - _EARLY)
        .not_valid_after(not_after or now + timedelta(days=SERVER_DAYS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_alternative(n) for n in names]), critical=False)
        .add_extension(authority, critical=False)
        .sign(ca.key, hashes.SHA256())
    )
    return Credentials(certificate, key)


WRONG_KINDS = ("expired", "not_yet_valid", "other_name", "other_ca")


def _namesake(ca: Credentials) -> Credentials:
    """An authority that has everything of `ca` but its key, as an impostor's would."""
    return make_ca(str(ca.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value))


def issue_wrong(kind: str, ca: Credentials, names: list[str]) -> Credentials:
    """A certificate that a terminal must refuse, for tests: one of WRONG_KINDS. Raises KeyError."""
    now, year = datetime.now(UTC), timedelta(days=365)
    makers = {
        "expired": lambda: issue(ca, names, now - 2 * year, now - year),
        "not_yet_valid": lambda: issue(ca, names, now + year, now + 2 * year),
        "other_name": lambda: issue(ca, ["other.microtill.test"]),
        "other_ca": lambda: issue(_namesake(ca), names),
    }
    return makers[kind]()
