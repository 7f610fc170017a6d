"""Tools of an Apache Kafka distribution that test suites call, by means of Weir's own command line.

    kafka_tools.py topics --bootstrap-server HOST:PORT --create --topic T …
    kafka_tools.py acls   --bootstrap-server HOST:PORT --add --allow-principal User:U …
    kafka_tools.py users  --bootstrap-server HOST:PORT --alter --entity-name U --add-config …

Only the flags that suites use are known; another one ends with an error, so that no test passes
because something was left out.
"""
import argparse
import json
import os
import re
import subprocess
import sys

from processes import WEIR


def parser(tool: str) -> argparse.ArgumentParser:
    one = argparse.ArgumentParser(prog=tool, allow_abbrev=False)
    one.add_argument("--bootstrap-server", required=True)
    one.add_argument("--command-config")
    return one


def connection(arguments) -> list[str]:
    """Flags for `weir` from the address and a properties file of a Java client."""
    words = ["-b", arguments.bootstrap_server]
    if arguments.command_config:
        with open(arguments.command_config) as file:
            lines = [line.strip().partition("=") for line in file if "=" in line]
        settings = {name: value for name, _, value in lines}
        login = dict(re.findall(r'(username|password)="([^"]*)"',
                                settings.pop("sasl.jaas.config", "")))
        settings |= {f"sasl.{name}": value for name, value in login.items()}
        settings["security.protocol"] = settings["security.protocol"].lower()
        for name, value in settings.items():
            words += ["-X", f"{name}={value}"]
    return words


def weir(*words: str, input: str | None = None) -> str:
    done = subprocess.run([WEIR, *words], capture_output=True, text=True, input=input,
                          env={**os.environ, "NO_COLOR": "1"})
    sys.stderr.write(done.stderr)
    if done.returncode != 0:
        sys.exit(1)
    return done.stdout


def topics(words: list[str]) -> None:
    flags = parser("kafka-topics")
    action = flags.add_mutually_exclusive_group(required=True)
    for name in ("--create", "--alter", "--delete", "--list"):
        action.add_argument(name, action="store_true")
    flags.add_argument("--topic")
    flags.add_argument("--partitions")
    flags.add_argument("--replication-factor")
    flags.add_argument("--config", action="append", default=[])
    flags.add_argument("--if-not-exists", action="store_true")
    given = flags.parse_args(words)
    server = connection(given)
    partitions = ["-p", given.partitions] if given.partitions else []
    if given.list:
        for topic in json.loads(weir("topic", "list", "-i", "-o", "json", *server))["topics"]:
            print(topic["name"])
    elif given.create:
        replicas = ["-r", given.replication_factor] if given.replication_factor else []
        settings = [word for setting in given.config for word in ("-c", setting)]
        weir("topic", "create", given.topic, *partitions, *replicas, *settings, *server)
    elif given.alter:
        weir("topic", "alter", given.topic, *partitions, *server)
    else:
        weir("topic", "delete", given.topic, "-y", *server)


def acls(words: list[str]) -> None:
    flags = parser("kafka-acls")
    action = flags.add_mutually_exclusive_group(required=True)
    for name in ("--add", "--remove", "--list"):
        action.add_argument(name, action="store_true")
    flags.add_argument("--force", action="store_true")
    flags.add_argument("--cluster", action="store_true")
    # Before Apache Kafka 4.0 rules were written to ZooKeeper; suites still say where it is.
    flags.add_argument("--authorizer-properties")
    for name in ("--allow-principal", "--deny-principal", "--allow-host", "--deny-host",
                 "--operation", "--topic", "--group", "--transactional-id", "--principal"):
        flags.add_argument(name, action="append", default=[])
    given = flags.parse_args(words)
    what = ["--cluster"] if given.cluster else []
    for flag, names in (("--topic", given.topic), ("--group", given.group),
                        ("--transactional-id", given.transactional_id)):
        what += [word for name in names for word in (flag, name)]
    server = connection(given)
    if given.list:
        users = [word for name in given.principal for word in ("-u", name)]
        print(weir("acl", "list", *what, *users, *server), end="")
        return
    verb = ["acl", "create"] if given.add else ["acl", "delete", "-y"]
    for users, hosts, deny in ((given.allow_principal, given.allow_host, []),
                               (given.deny_principal, given.deny_host, ["--deny"])):
        if users:
            rule = [word for name in users for word in ("-u", name)]
            rule += [word for name in hosts for word in ("--host", name)]
            # All operations, when none is named.
            for name in given.operation or ["All"]:
                rule += ["-O", name.lower()]
            weir(*verb, *what, *rule, *deny, *server)


def users(words: list[str]) -> None:
    """`kafka-configs --entity-type users`: passwords of SCRAM."""
    flags = parser("kafka-configs")
    flags.add_argument("--alter", action="store_true", required=True)
    flags.add_argument("--entity-type", choices=["users"], required=True)
    flags.add_argument("--entity-name", required=True)
    flags.add_argument("--add-config", required=True)
    flags.add_argument("--zookeeper")  # as for rules, above
    given = flags.parse_args(words)
    found = re.findall(r"(SCRAM-SHA-\d+)=\[(?:iterations=\d+,)?password=([^\]]*)\]",
                       given.add_config)
    if not found:
        sys.exit(f"kafka-configs: no password in {given.add_config}")
    for mechanism, password in found:
        weir("user", "create", given.entity_name, "-m", mechanism, *connection(given),
             input=password + "\n")


TOOLS = {"topics": topics, "acls": acls, "users": users}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in TOOLS:
        sys.exit(__doc__)
    TOOLS[sys.argv[1]](sys.argv[2:])
