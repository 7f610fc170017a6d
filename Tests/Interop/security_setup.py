"""A server with every listener; certificates, key sets and tokens, made with openssl."""
import base64
import hashlib
import hmac
import json
import os
import ssl
import subprocess
import time

from conftest import free_port, new_server


def run(*arguments, input=None):
    done = subprocess.run(arguments, input=input, capture_output=True)
    assert done.returncode == 0, f"{arguments}: {done.stderr.decode()}"
    return done.stdout


def make_certificates(folder: str):
    """An authority, a server for localhost, the client alice, and a client of a strange authority."""
    def path(name):
        return os.path.join(folder, name)

    for authority in ["ca", "strange-ca"]:
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            "-subj", f"/CN={authority}", "-keyout", path(f"{authority}.key"),
            "-out", path(f"{authority}.pem"))
    for name, subject, authority, extension in [
            ("server", "/CN=localhost", "ca", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            ("alice", "/O=Example/OU=Clients/CN=Alice", "ca", "extendedKeyUsage=clientAuth"),
            ("mallory", "/O=Example/OU=Clients/CN=Alice", "strange-ca",
             "extendedKeyUsage=clientAuth")]:
        run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", subject,
            "-keyout", path(f"{name}.key"), "-out", path(f"{name}.csr"))
        with open(path(f"{name}.ext"), "w") as file:
            file.write(extension)
        run("openssl", "x509", "-req", "-days", "2", "-in", path(f"{name}.csr"),
            "-CA", path(f"{authority}.pem"), "-CAkey", path(f"{authority}.key"),
            "-CAcreateserial", "-extfile", path(f"{name}.ext"), "-out", path(f"{name}.pem"))
    # The server's key is encrypted, its password in a file; a client may have the same.
    for name in ("server", "alice"):
        run("openssl", "rsa", "-aes256", "-passout", "pass:canary-key-password",
            "-in", path(f"{name}.key"), "-out", path(f"{name}-encrypted.key"))
    with open(path("key-password"), "w") as file:
        file.write("canary-key-password\n")


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Tokens:
    """A key set of an RSA, an EC and a shared key, and tokens signed by them."""

    def __init__(self, folder: str):
        self.folder = folder
        self.shared = os.urandom(32)
        run("openssl", "genrsa", "-out", self.path("jwt-rsa.key"), "2048")
        run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout",
            "-out", self.path("jwt-ec.key"))
        modulus = run("openssl", "rsa", "-in", self.path("jwt-rsa.key"), "-noout", "-modulus")
        number = bytes.fromhex(modulus.decode().strip().split("=")[1])
        point = run("openssl", "ec", "-in", self.path("jwt-ec.key"), "-pubout",
                    "-outform", "DER")[-64:]
        keys = [
            {"kty": "RSA", "kid": "rsa", "use": "sig", "n": b64(number), "e": b64(b"\1\0\1")},
            {"kty": "EC", "kid": "ec", "crv": "P-256", "x": b64(point[:32]), "y": b64(point[32:])},
            {"kty": "oct", "kid": "shared", "alg": "HS256", "k": b64(self.shared)},
        ]
        with open(self.path("keys.json"), "w") as file:
            json.dump({"keys": keys}, file)

    def path(self, name):
        return os.path.join(self.folder, name)

    def token(self, user: str, algorithm: str = "RS256", kid: str | None = None, key=None, **claims):
        header = {"alg": algorithm, "typ": "JWT",
                  "kid": kid or {"RS256": "rsa", "ES256": "ec", "HS256": "shared"}[algorithm]}
        now = int(time.time())
        body = {"sub": user, "iss": "https://issuer.example", "aud": ["weir", "other"],
                "iat": now, "exp": now + 300, **claims}
        text = b64(json.dumps(header).encode()) + "." + b64(json.dumps(body).encode())
        return text + "." + b64(self.sign(text.encode(), algorithm, key))

    def sign(self, text: bytes, algorithm: str, key) -> bytes:
        if algorithm == "HS256":
            return hmac.new(key or self.shared, text, hashlib.sha256).digest()
        name = "jwt-rsa.key" if algorithm == "RS256" else "jwt-ec.key"
        signature = run("openssl", "dgst", "-sha256", "-sign", key or self.path(name), input=text)
        if algorithm == "RS256":
            return signature
        # DER to the two numbers one after the other.
        parts, rest = [], signature[2:]
        while rest:
            length = rest[1]
            parts.append(rest[2:2 + length].lstrip(b"\0").rjust(32, b"\0"))
            rest = rest[2 + length:]
        return b"".join(parts)


PASSWORD = "canary-admin-password"
ALICE = "canary-alice-password"


class Secured:
    """A server with a listener of each kind."""

    def __init__(self, *extra):
        self.server = new_server()
        self.folder = os.path.join(self.server.data, "..", "keys")
        os.mkdir(self.folder)
        make_certificates(self.folder)
        self.tokens = Tokens(self.folder)
        with open(self.path("admin-password"), "w") as file:
            file.write(PASSWORD + "\n")
        names = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL", "TOKENS"]
        self.ports = {name: free_port() for name in names}
        settings = {
            "listeners": ",".join(f"{n}://localhost:{p}" for n, p in self.ports.items()),
            "listener.security.protocol.map": "TOKENS:SASL_PLAINTEXT",
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
            "ssl.certificate.location": self.path("server.pem"),
            "ssl.key.location": self.path("server-encrypted.key"),
            "ssl.key.password.location": self.path("key-password"),
            "ssl.truststore.location": self.path("ca.pem"),
            "ssl.client.auth": "requested",
            "ssl.principal.mapping.rules": "RULE:^CN=([^,]*),.*$/$1/L,DEFAULT",
            "authorizer.class.name": "acl",
            "super.users": "User:admin",
            "sasl.oauthbearer.jwks.endpoint.url": "file://" + self.path("keys.json"),
            "sasl.oauthbearer.expected.issuer": "https://issuer.example",
            "sasl.oauthbearer.expected.audience": "weir",
            "auto.create.topics.enable": "false",
            "group.initial.rebalance.delay.ms": "0",
        }
        config = self.path("server.properties")
        with open(config, "w") as file:
            file.writelines(f"{name}={value}\n" for name, value in settings.items())
        self.server.start("--config", config, "--bootstrap-user",
                          "admin:" + self.path("admin-password"), *extra)

    def path(self, name):
        return os.path.abspath(os.path.join(self.folder, name))

    def address(self, listener):
        return f"localhost:{self.ports[listener]}"

    def confluent(self, listener="SASL_PLAINTEXT", mechanism="SCRAM-SHA-512", user="admin",
                  password=PASSWORD, certificate=None, **more):
        config = {"bootstrap.servers": self.address(listener),
                  "security.protocol": "SASL_PLAINTEXT" if listener == "TOKENS" else listener,
                  "socket.timeout.ms": 5000}
        if "SASL" in config["security.protocol"] and mechanism:
            config.update({"sasl.mechanism": mechanism, "sasl.username": user,
                           "sasl.password": password})
        if "SSL" in listener:
            config["ssl.ca.location"] = self.path("ca.pem")
            if certificate:
                config.update({"ssl.certificate.location": self.path(certificate + ".pem"),
                               "ssl.key.location": self.path(certificate + ".key")})
        return {**config, **more}

    def python(self, listener="SASL_PLAINTEXT", mechanism="SCRAM-SHA-512", user="admin",
               password=PASSWORD, certificate=None):
        config = {"bootstrap_servers": self.address(listener), "security_protocol": listener}
        if "SASL" in listener:
            config.update({"sasl_mechanism": mechanism, "sasl_plain_username": user,
                           "sasl_plain_password": password})
        if "SSL" in listener:
            context = ssl.create_default_context(cafile=self.path("ca.pem"))
            if certificate:
                context.load_cert_chain(self.path(certificate + ".pem"),
                                        self.path(certificate + ".key"))
            config["ssl_context"] = context
        return config

    def admin(self, **more):
        from confluent_kafka.admin import AdminClient
        return AdminClient(self.confluent(**more))

    def topic(self, name, partitions=1):
        from confluent_kafka.admin import NewTopic
        admin = self.admin()
        admin.create_topics([NewTopic(name, num_partitions=partitions)])[name].result(20)
        return name

    def set_password(self, user, password, *mechanisms):
        from confluent_kafka.admin import (ScramCredentialInfo, ScramMechanism,
                                           UserScramCredentialUpsertion)
        admin = self.admin()
        changes = [UserScramCredentialUpsertion(
            user, ScramCredentialInfo(mechanism, 4096), password.encode())
            for mechanism in (mechanisms or (ScramMechanism.SCRAM_SHA_256,
                                             ScramMechanism.SCRAM_SHA_512))]
        for change in changes:
            admin.alter_user_scram_credentials([change])[user].result(20)

    def allow(self, user, resource, name, operation, permission="ALLOW", pattern="LITERAL"):
        from confluent_kafka.admin import (AclBinding, AclOperation, AclPermissionType,
                                           ResourcePatternType, ResourceType)
        admin = self.admin()
        rule = AclBinding(
            getattr(ResourceType, resource), name, getattr(ResourcePatternType, pattern),
            f"User:{user}", "*", getattr(AclOperation, operation),
            getattr(AclPermissionType, permission))
        admin.create_acls([rule])[rule].result(20)
        return rule
