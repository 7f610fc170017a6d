"""What aiokafka's tests use of the Docker client library, with processes instead of containers.

The container of the broker is a `weir serve` with the settings that the image's start script gives to
Apache Kafka; commands "in" it are the tools of `distribution/bin`. Any other container is nothing but
a folder in which commands run. Kerberos is in the image, but not here.
"""
import os
import pathlib
import shlex
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from processes import DISTRIBUTION, Broker  # noqa: E402

from . import models  # noqa: E402

# The users of the image's JAAS file for PLAIN; each has its name as password.
USERS = {name: name for name in ("admin", "test", "test2")}


def from_env() -> "Client":
    return Client()


class Client:
    def __init__(self):
        self.containers = Containers()

    def close(self) -> None:
        pass


class Containers:
    def run(self, image: str, command: str | None = None, volumes: dict | None = None,
            environment: dict | None = None, working_dir: str | None = None, **_):
        mounts = {mount["bind"]: str(folder) for folder, mount in (volumes or {}).items()}
        if environment and "ADVERTISED_PORT" in environment:
            return BrokerContainer(environment, mounts)
        return FolderContainer(mounts, working_dir)


class FolderContainer(models.containers.Container):
    """Runs commands on this machine; paths of volumes become those of the folders behind them."""

    def __init__(self, mounts: dict[str, str], working_dir: str | None):
        self.mounts, self.working_dir = mounts, working_dir

    def exec_run(self, command, **_) -> tuple[int, bytes]:
        words = shlex.split(command) if isinstance(command, str) else list(command)
        return execute([self.mounts.get(word, word) for word in words],
                       self.mounts.get(self.working_dir, self.working_dir))

    def stop(self) -> None:
        pass


class BrokerContainer(models.containers.Container):
    def __init__(self, environment: dict, mounts: dict[str, str]):
        certificates = pathlib.Path(mounts["/ssl_cert"])
        mechanisms = environment["SASL_MECHANISMS"].split(",")
        self.broker = Broker(
            listeners={"PLAINTEXT": environment["ADVERTISED_PORT"],
                       "SSL": environment["ADVERTISED_SSL_PORT"],
                       "SASL_PLAINTEXT": environment["ADVERTISED_SASL_PLAINTEXT_PORT"],
                       "SASL_SSL": environment["ADVERTISED_SASL_SSL_PORT"]},
            host=environment["ADVERTISED_HOST"],
            settings={
                "num.partitions": str(environment["NUM_PARTITIONS"]), "node.id": "0",
                "group.initial.rebalance.delay.ms": "0",
                "ssl.certificate.location": str(certificates / "server.crt"),
                "ssl.key.location": str(certificates / "server.key"),
                "ssl.truststore.location": str(certificates / "ca.crt"),
                "ssl.client.auth": "required",
                "sasl.enabled.mechanisms": ",".join(m for m in mechanisms if m != "GSSAPI"),
                "authorizer.class.name": "acl", "allow.everyone.if.no.acl.found": "true",
                "super.users": "User:admin"},
            users=USERS)
        # Rules about the cluster, which tests add, must not lock out the tools themselves.
        self.login = self.broker.folder / "admin.properties"
        self.login.write_text(
            "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n"
            'sasl.jaas.config=PlainLoginModule required username="admin" password="admin";\n')

    def exec_run(self, command, **_) -> tuple[int, bytes]:
        words = shlex.split(command) if isinstance(command, str) else list(command)
        if words[0] == "supervisorctl":
            return 0, self.broker.log.read_bytes()
        tool = DISTRIBUTION / "bin" / pathlib.Path(words[0]).name
        return execute([str(tool), *words[1:],
                        "--bootstrap-server", self.broker.address("SASL_PLAINTEXT"),
                        "--command-config", str(self.login)])

    def stop(self) -> None:
        self.broker.stop()


def execute(words: list[str], folder: str | None = None) -> tuple[int, bytes]:
    done = subprocess.run(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=os.environ)
    return done.returncode, done.stdout
