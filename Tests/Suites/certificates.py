"""An authority, the broker's certificate and a client's, in the forms that librdkafka's tests read."""
import pathlib
import subprocess

KEY_PASSWORD = "suite-key-password"


class Certificates:
    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        if not (folder / "client.p12").exists():
            folder.mkdir(parents=True, exist_ok=True)
            self.make()

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def make(self) -> None:
        for name in ("ca", "other-ca"):
            self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj",
                         f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")
        for name, extension in (("broker", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
                                ("client", "extendedKeyUsage=clientAuth")):
            (self.folder / f"{name}.ext").write_text(extension)
            self.openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout",
                         f"{name}.key", "-out", f"{name}.csr")
            self.openssl("x509", "-req", "-days", "30", "-in", f"{name}.csr", "-CA", "ca.pem",
                         "-CAkey", "ca.key", "-CAcreateserial", "-extfile", f"{name}.ext", "-out",
                         f"{name}.pem")
        # Several authorities in one file: a reader must take more than the first.
        (self.folder / "all-cas.pem").write_text(
            (self.folder / "other-ca.pem").read_text() + (self.folder / "ca.pem").read_text())
        password = f"pass:{KEY_PASSWORD}"
        self.openssl("rsa", "-aes256", "-in", "client.key", "-passout", password, "-out",
                     "client-encrypted.key")
        self.openssl("rsa", "-in", "client.key", "-outform", "DER", "-out", "client-key.der")
        self.openssl("x509", "-in", "client.pem", "-outform", "DER", "-out", "client.der")
        self.openssl("x509", "-in", "ca.pem", "-outform", "DER", "-out", "ca.der")
        # For programs that wait for the refusal of their certificate during the handshake.
        (self.folder / "tls12.cnf").write_text(
            "openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\nsystem_default = default\n"
            "[default]\nMaxProtocol = TLSv1.2\n")
        self.openssl("pkcs12", "-export", "-in", "client.pem", "-inkey", "client.key", "-certfile",
                     "ca.pem", "-passout", password, "-out", "client.p12")

    def openssl(self, *words: str) -> None:
        done = subprocess.run(["openssl", *words], cwd=self.folder, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"openssl {' '.join(words)}: {done.stderr}")

    def broker_settings(self, listener: str) -> dict[str, str]:
        asked = "required" if listener == "SSL" else "none"
        return {"ssl.certificate.location": self.path("broker.pem"),
                "ssl.key.location": self.path("broker.key"),
                "ssl.truststore.location": self.path("ca.pem"), "ssl.client.auth": asked}

    def client_settings(self) -> dict[str, str]:
        return {"security.protocol": "SSL", "ssl.ca.location": self.path("ca.pem"),
                "ssl.certificate.location": self.path("client.pem"),
                "ssl.key.location": self.path("client-encrypted.key"),
                "ssl.key.password": KEY_PASSWORD}

    def environment(self) -> dict[str, str]:
        """What the suite's own cluster tells its test of certificates (0097)."""
        return {"SSL_pkcs": self.path("client.p12"), "SSL_pub_der": self.path("client.der"),
                "SSL_pub_pem": self.path("client.pem"),
                "SSL_priv_der": self.path("client-key.der"),
                "SSL_priv_pem": self.path("client-encrypted.key"),
                "SSL_ca_der": self.path("ca.der"), "SSL_all_cas_pem": self.path("all-cas.pem"),
                "SSL_password": KEY_PASSWORD, "SSL_client_auth": "required",
                "OPENSSL_CONF": self.path("tls12.cnf")}
