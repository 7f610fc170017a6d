"""Starts `weir serve` from the `server.properties` of an Apache Kafka broker.

What is translated: listeners (without the controller's), the data directory, key stores of Java into
PEM, the users of the JAAS file into --bootstrap-user. Settings that Weir knows are passed on; the
others are named on standard error and left out. When the broker listens, the lines are printed that
Apache Kafka prints: suites wait for them.
"""
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from processes import WEIR, known_settings, settings_flags, wait_for_port  # noqa: E402

# Translated below, or of no meaning to one broker that is its own controller.
TRANSLATED = {"listeners", "advertised.listeners", "listener.security.protocol.map", "node.id"}


def properties(path: str) -> dict[str, str]:
    lines = [line.strip() for line in pathlib.Path(path).read_text().splitlines()]
    pairs = [line.partition("=") for line in lines if line and line[0] not in "#!"]
    return {name.strip(): value.strip() for name, _, value in pairs}


def without_controller(listeners: str) -> str:
    return ",".join(one for one in listeners.split(",") if not one.startswith("CONTROLLER:"))


def pem_of_key_store(location: str, password: str, folder: pathlib.Path) -> str:
    """The key and its certificate, through PKCS #12, which both keytool and openssl read."""
    packed, target = folder / "keystore.p12", folder / "keystore.pem"
    packed.unlink(missing_ok=True)
    run("keytool", "-importkeystore", "-noprompt", "-srckeystore", location, "-srcstorepass",
        password, "-destkeystore", packed, "-deststoretype", "PKCS12", "-deststorepass", password)
    key, certificate = (run("openssl", "pkcs12", "-in", packed, "-passin", f"pass:{password}",
                            *which) for which in (("-nocerts", "-nodes"), ("-clcerts", "-nokeys")))
    target.write_text(blocks(key) + blocks(certificate))
    return str(target)


def pem_of_trust_store(location: str, password: str, folder: pathlib.Path) -> str:
    target = folder / "truststore.pem"
    target.write_text(blocks(run("keytool", "-list", "-rfc", "-keystore", location,
                                 "-storepass", password)))
    return str(target)


def blocks(text: str) -> str:
    found = re.findall(r"-----BEGIN ([A-Z ]+)-----\n(.+?)-----END \1-----", text, re.DOTALL)
    return "".join(f"-----BEGIN {kind}-----\n{body}-----END {kind}-----\n" for kind, body in found)


def run(*words) -> str:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{words[0]} failed: {done.stdout}{done.stderr}")
    return done.stdout


def users_of_jaas() -> dict[str, str]:
    """User and password of the login modules of the file that KAFKA_OPTS names."""
    option = re.search(r"-Djava\.security\.auth\.login\.config=(\S+)",
                       os.environ.get("KAFKA_OPTS", ""))
    if option is None:
        return {}
    text = pathlib.Path(option[1]).read_text()
    users = dict(re.findall(r'\buser_(\w+)="([^"]*)"', text))
    return users | dict(re.findall(r'username="([^"]*)"\s+password="([^"]*)"', text))


def main() -> None:
    path = sys.argv[1]
    given, known = properties(path), known_settings()
    folder = pathlib.Path(path).parent
    listeners = without_controller(given["listeners"])
    settings = {"listeners": listeners, "node.id": given["node.id"],
                "advertised.listeners": without_controller(given["advertised.listeners"])}
    for name, value in given.items():
        if name in known and name not in TRANSLATED and not name.startswith("ssl."):
            settings[name] = value
    if "ssl.keystore.location" in given:
        settings["ssl.keystore.location"] = pem_of_key_store(
            given["ssl.keystore.location"], given["ssl.keystore.password"], folder)
        settings["ssl.truststore.location"] = pem_of_trust_store(
            given["ssl.truststore.location"], given["ssl.truststore.password"], folder)
    words = [WEIR, "serve", "--data", given["log.dirs"], "--http", "127.0.0.1:0"]
    users = users_of_jaas()
    for name, password in users.items():
        file = folder / f"password-{name}"
        file.write_text(password + "\n")
        words += ["--bootstrap-user", f"{name}:{file}"]
    ignored = sorted(set(given) - set(settings))
    print("left out: " + ", ".join(ignored), file=sys.stderr, flush=True)

    # The suite knows the process by its id and ends it by a signal, so that this one becomes the
    # broker; a child of it waits for the port.
    if os.fork() == 0:
        if wait_for_port(int(listeners.split(",")[0].rpartition(":")[2])):
            for name in users:
                print(f"Replayed UserScramCredentialRecord creating new entry for {name}")
            print(f"[KafkaRaftServer nodeId={given['node.id']}] Kafka Server started", flush=True)
        os._exit(0)
    os.execv(WEIR, words + settings_flags(settings))


main()
