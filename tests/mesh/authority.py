"""istiod's certificate authority: workloads of a test get certificates as those of the mesh do."""

import base64
import datetime
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class Authority:
    """istiod's own certificate authority, out of the secret where it keeps its key."""

    def __init__(self, mesh):
        self.stack = mesh.stack
        path = "/api/v1/namespaces/istio-system/secrets/istio-ca-secret"
        data = mesh.call("GET", path)["data"]
        self.root = base64.b64decode(data["ca-cert.pem"])
        self.certificate = x509.load_pem_x509_certificate(self.root)
        self.key = serialization.load_pem_private_key(base64.b64decode(data["ca-key.pem"]), None)

    def workload(self, namespace, account):
        """Certificate chain and key of a workload, as istiod signs them, in PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.timezone.utc)
        name = x509.UniformResourceIdentifier(f"spiffe://cluster.local/ns/{namespace}/sa/{account}")
        made = (
            x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(self.certificate.subject)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=2)).not_valid_after(now + datetime.timedelta(hours=2))
            .add_extension(x509.SubjectAlternativeName([name]), critical=True)
            .sign(self.key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        plain = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return made.public_bytes(pem).decode(), plain.decode()

    def client(self, namespace, account):
        """A TLS context that shows the workload's certificate."""
        chain, key = self.workload(namespace, account)
        context = ssl._create_unverified_context()
        name = f"{namespace}-{account}"
        context.load_cert_chain(self.stack.write(f"{name}.crt", chain), self.stack.write(f"{name}.key", key))
        return context
