"""Certificate authorities, and certificates with names that a test chooses."""

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)
KINDS = {"CN": NameOID.COMMON_NAME, "O": NameOID.ORGANIZATION_NAME, "OU": NameOID.ORGANIZATIONAL_UNIT_NAME}


def name(parts):
    """A subject of pairs such as ("CN", "agent")."""
    return x509.Name([x509.NameAttribute(KINDS[kind], value) for kind, value in parts])


class Authority:
    """Issues certificates as files of a stack."""

    def __init__(self, stack, label):
        self.stack, self.label, self.count = stack, label, 0
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.subject = name([("CN", f"authority {label}")])
        self.certificate = self.build(self.subject, self.key, [], authority=True)
        self.path = self.save(f"{label}-ca.pem", self.certificate)

    def build(self, subject, key, alternatives, days=(-1, 30), authority=False, own=False):
        now = datetime.datetime.now(datetime.timezone.utc)
        made = (
            x509.CertificateBuilder()
            .subject_name(subject).issuer_name(subject if own else self.subject)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now + days[0] * DAY).not_valid_after(now + days[1] * DAY)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if alternatives:
            made = made.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        return made.sign(key if own else self.key, hashes.SHA256())

    def save(self, file, certificate):
        with open(self.stack.path(file), "wb") as f:
            f.write(certificate.public_bytes(serialization.Encoding.PEM))
        return self.stack.path(file)

    def issue(self, *alternatives, subject=(("CN", "agent"),), days=(-1, 30), own=False):
        """A certificate and its key, as two paths. `own`: signed by itself.

        Alternatives: URIs (with a scheme), IP addresses, or DNS names, in this order.
        """
        self.count += 1
        key = ec.generate_private_key(ec.SECP256R1())
        made = self.build(name(subject), key, [alternative(a) for a in alternatives], days, own=own)
        path = self.save(f"{self.label}-{self.count}.pem", made)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        with open(self.stack.path(f"{self.label}-{self.count}.key"), "wb") as f:
            f.write(pem)
        return path, self.stack.path(f"{self.label}-{self.count}.key")


def alternative(text):
    if "://" in text:
        return x509.UniformResourceIdentifier(text)
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)
