"""A certificate authority of the simulated head nodes, and certificates that are right or wrong on purpose."""

import datetime
import ipaddress
import ssl
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

KINDS = ("good", "wrong-name", "expired")
_WRONG_NAME = "another.invalid"


class Authority:
    """Signs certificates for nodes; ``pem`` is its own certificate, which a client is to trust."""

    def __init__(self, name: str = "Simulated head nodes") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._lock = threading.Lock()
        self._contexts: dict[tuple[str, str, str], ssl.SSLContext] = {}
        now = datetime.datetime.now(datetime.UTC)
        public = self._key.public_key()
        self._identifier = x509.SubjectKeyIdentifier.from_public_key(public)
        certificate = (
            self._builder(self._name, public, now - datetime.timedelta(days=2), now + datetime.timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs=True), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.pem = certificate.public_bytes(serialization.Encoding.PEM).decode()

    def context(self, name: str, address: str, kind: str) -> ssl.SSLContext:
        """The server side of TLS for a node: ``kind`` is one of KINDS. Raises ValueError for another one."""
        if kind not in KINDS:
            raise ValueError(f"no such kind of certificate: {kind}; there are: {', '.join(KINDS)}")
        with self._lock:
            wanted = (name, address, kind)
            if wanted not in self._contexts:
                self._contexts[wanted] = self._new_context(name, address, kind)
            return self._contexts[wanted]

    def _new_context(self, name: str, address: str, kind: str) -> ssl.SSLContext:
        now = datetime.datetime.now(datetime.UTC)
        end = now + datetime.timedelta(days=-1 if kind == "expired" else 30)
        subject = _WRONG_NAME if kind == "wrong-name" else name
        names: list[x509.GeneralName] = [x509.DNSName(subject)]
        if kind != "wrong-name":
            names.append(x509.IPAddress(ipaddress.ip_address(address)))
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            self._builder(
                x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]),
                key.public_key(),
                now - datetime.timedelta(days=2),
                end,
            )
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # The ssl module takes keys from files only; this one is gone before the context is used.
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "node.pem")
            path.write_bytes(
                certificate.public_bytes(serialization.Encoding.PEM)
                + key.private_bytes(
                    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                )
            )
            context.load_cert_chain(path)
        return context

    def _builder(
        self,
        subject: x509.Name,
        public: ec.EllipticCurvePublicKey,
        begin: datetime.datetime,
        end: datetime.datetime,
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(end)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(self._identifier), critical=False
            )
        )


def _usage(signs: bool) -> x509.KeyUsage:
    wanted: Sequence[str] = ("key_cert_sign", "crl_sign") if signs else ("digital_signature",)
    every = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: name in wanted for name in every})
