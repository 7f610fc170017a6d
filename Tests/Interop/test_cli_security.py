"""The command line over TLS and sign-on, and the commands that manage who may do what."""
import json
import os
import subprocess

import pytest

from conftest import WEIR, new_server, remove, weir
from security_setup import PASSWORD, Secured

ENVIRONMENT = {**os.environ, "SWIFT_BACKTRACE": "enable=no", "NO_COLOR": "1"}


@pytest.fixture(scope="module")
def secured():
    one = Secured()
    yield one
    remove(one.server)


def settings(secured, listener, user="admin", password=PASSWORD, mechanism="SCRAM-SHA-512", **more):
    name = "SASL_PLAINTEXT" if listener == "TOKENS" else listener
    values = {"security.protocol": name.lower(), **{key.replace("_", "."): value
                                                    for key, value in more.items()}}
    if "SASL" in name:
        values |= {"sasl.mechanism": mechanism, "sasl.username": user, "sasl.password": password}
    if "SSL" in name:
        values.setdefault("ssl.ca.location", secured.path("ca.pem"))
    words = ["-b", secured.address(listener)]
    for key, value in values.items():
        words += ["-X", f"{key}={value}"]
    return words


def on(secured, *words, listener="SASL_SSL", check=0, input=None, **more):
    _, out, error = weir(*words, *settings(secured, listener, **more), check=check, input=input)
    return out, error


@pytest.mark.parametrize("listener", ["SASL_PLAINTEXT", "SASL_SSL"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_sign_on(secured, listener, mechanism):
    name = f"sign-{listener}-{mechanism}".lower()
    on(secured, "topic", "create", name, listener=listener, mechanism=mechanism)
    on(secured, "produce", name, listener=listener, mechanism=mechanism,
       input="".join(f"line {number}\n" for number in range(5000)))
    out, _ = on(secured, "consume", name, "--exit", listener=listener, mechanism=mechanism)
    assert out.splitlines() == [f"line {number}" for number in range(5000)]
    _, error = on(secured, "topic", "list", listener=listener, mechanism=mechanism,
                  password="wrong", check=1)
    assert "error[security.refused]" in error


def test_large_records_over_tls(secured):
    on(secured, "topic", "create", "large-tls", "-c", "max.message.bytes=10000000")
    # One is beyond the default of topics, another beyond what this topic takes.
    lines = [letter * 1_000_000 for letter in "abcde"] + ["f" * 3_000_000]
    on(secured, "produce", "large-tls", input="".join(line + "\n" for line in lines))
    out, _ = on(secured, "consume", "large-tls", "--exit")
    assert out.splitlines() == lines
    _, error = on(secured, "produce", "large-tls", input="g" * 11_000_000 + "\n", check=1)
    assert "error[record.tooLarge]" in error and "max.message.bytes is 10000000" in error


def test_a_client_with_a_certificate(secured):
    more = {"ssl_certificate_location": secured.path("alice.pem"),
            "ssl_key_location": secured.path("alice.key")}
    on(secured, "topic", "create", "certified")
    _, error = on(secured, "consume", "certified", "--exit", listener="SSL", check=1, **more)
    on(secured, "acl", "create", "-u", "alice", "-O", "read", "-O", "describe",
       "--topic", "certified")
    on(secured, "consume", "certified", "--exit", listener="SSL", **more)
    more["ssl_key_location"] = secured.path("alice-encrypted.key")
    on(secured, "consume", "certified", "--exit", listener="SSL",
       ssl_key_password="canary-key-password", **more)
    for password in ({}, {"ssl_key_password": "canary-wrong"}):
        _, error = on(secured, "consume", "certified", "--exit", listener="SSL", check=1,
                      **password, **more)
        assert "alice-encrypted.key" in error and "canary" not in error


def test_a_broker_that_can_not_be_trusted(secured):
    _, error = on(secured, "topic", "list", ssl_ca_location=secured.path("strange-ca.pem"),
                  check=None)
    assert "trust" in error or "certificate" in error
    _, error = on(secured, "topic", "list", ssl_ca_location="/nowhere.pem", check=1)
    assert "/nowhere.pem" in error


def test_tokens(secured):
    token = secured.tokens.token("admin")
    words = ["-b", secured.address("TOKENS"), "-X", "security.protocol=sasl_plaintext",
             "-X", "sasl.mechanism=OAUTHBEARER", "-X", f"sasl.oauthbearer.token={token}"]
    weir("topic", "list", *words)
    words[-1] = "sasl.oauthbearer.token=" + token[:-4] + "AAAA"
    _, _, error = weir("topic", "list", *words, check=1)
    assert "error[security.refused]" in error


def test_settings_come_from_a_file(secured, tmp_path):
    path = tmp_path / "client.properties"
    path.write_text("# how to reach it\nsecurity.protocol = SASL_SSL\nsasl.mechanisms=PLAIN\n"
                    f"sasl.username=admin\nsasl.password={PASSWORD}\n\n"
                    f"ssl.ca.location={secured.path('ca.pem')}\n")
    environment = {**ENVIRONMENT, "WEIR_CLIENT_CONFIG": str(path),
                   "WEIR_SERVER": secured.address("SASL_SSL")}
    done = subprocess.run([WEIR, "topic", "list", "-o", "json"], env=environment,
                          capture_output=True, text=True)
    assert done.returncode == 0 and "topics" in json.loads(done.stdout)
    done = subprocess.run([WEIR, "topic", "list", "-X", "sasl.password=x"], env=environment,
                          capture_output=True, text=True)
    assert done.returncode == 1 and PASSWORD not in done.stderr
    path.write_text("securty.protocol=ssl\n")
    done = subprocess.run([WEIR, "topic", "list"], env=environment, capture_output=True, text=True)
    assert done.returncode == 2 and 'did you mean "security.protocol"?' in done.stderr
    _, out, _ = weir("help", "client")
    assert "sasl.password" in out


def test_users(secured):
    on(secured, "user", "create", "carol", input="carols password\n")
    on(secured, "user", "create", "dave", "-m", "SCRAM-SHA-256", "--iterations", "4096",
       input="daves password\n")
    users = {one["user"]: one["credentials"]
             for one in json.loads(on(secured, "user", "list", "-o", "json")[0])["users"]}
    assert {one["mechanism"] for one in users["carol"]} == {"SCRAM-SHA-256", "SCRAM-SHA-512"}
    assert users["dave"] == [{"mechanism": "SCRAM-SHA-256", "iterations": 4096}]
    # Other clients sign on with what was stored.
    from confluent_kafka.admin import AdminClient
    admin = AdminClient(secured.confluent(user="carol", password="carols password"))
    assert admin.list_topics(timeout=10).cluster_id
    on(secured, "group", "list", user="carol", password="carols password")
    on(secured, "user", "create", "carol", input="another\n")
    on(secured, "group", "list", user="carol", password="carols password", check=1)
    _, error = on(secured, "user", "delete", "carl", "--yes", check=1)
    assert 'did you mean "carol"?' in error
    on(secured, "user", "delete", "carol", "dave", "--yes")
    on(secured, "group", "list", user="carol", password="another", check=1)
    on(secured, "user", "create", "nobody", input="\n", check=1)


def test_access_rules(secured):
    on(secured, "user", "create", "erin", input="erins password\n")
    erin = {"user": "erin", "password": "erins password"}
    on(secured, "topic", "create", "ruled", "ruled.too")
    _, error = on(secured, "consume", "ruled", "--exit", check=1, **erin)
    dry, _ = on(secured, "acl", "create", "-u", "erin", "-O", "read", "--topic", "ruled",
                "--dry-run", "-o", "json")
    assert json.loads(dry)["dry_run"] is True
    on(secured, "consume", "ruled", "--exit", check=1, **erin)
    on(secured, "acl", "create", "-u", "erin", "-O", "read", "--topic", "ruled", "--prefix",
       "--group", "ruled")
    on(secured, "consume", "ruled", "--exit", **erin)
    on(secured, "consume", "ruled.too", "--exit", **erin)
    _, error = on(secured, "produce", "ruled", input="x\n", check=1, **erin)
    assert "error[security.denied]" in error
    rules = json.loads(on(secured, "acl", "list", "-u", "erin", "-o", "json")[0])["rules"]
    assert {(one["resource"], one["name"], one["pattern"], one["operation"]) for one in rules} == {
        ("topic", "ruled", "prefix", "read"), ("group", "ruled", "prefix", "read")}
    on(secured, "acl", "create", "-u", "erin", "-O", "read", "--topic", "ruled.too", "--deny")
    on(secured, "consume", "ruled.too", "--exit", check=1, **erin)
    assert len(on(secured, "acl", "list", "-u", "erin", "-o", "tsv")[0].splitlines()) == 3
    _, error = on(secured, "acl", "delete", "--yes", check=2)
    assert "--all" in error
    gone = json.loads(on(secured, "acl", "delete", "-u", "erin", "--yes", "-o", "json")[0])["rules"]
    assert len(gone) == 3
    assert on(secured, "acl", "list", "-u", "erin", "-o", "tsv")[0] == ""
    on(secured, "consume", "ruled", "--exit", check=1, **erin)
    _, error = on(secured, "acl", "create", "-u", "erin", "-O", "raed", "--topic", "x", check=2)
    assert 'did you mean "read"?' in error


def test_quotas(secured):
    on(secured, "quota", "set", "--user", "frank", "producer_byte_rate=1e6",
       "consumer_byte_rate=2000000")
    on(secured, "quota", "set", "--client-id", "default", "request_percentage=50")
    listed = json.loads(on(secured, "quota", "list", "-o", "json")[0])["quotas"]
    assert {"user": "frank", "client_id": None, "ip": None, "quota": "producer_byte_rate",
            "value": 1000000} in listed
    assert {"user": None, "client_id": "", "ip": None, "quota": "request_percentage",
            "value": 50} in listed
    on(secured, "quota", "set", "--user", "frank", "--unset", "producer_byte_rate")
    listed = json.loads(on(secured, "quota", "list", "-o", "json")[0])["quotas"]
    assert [one["quota"] for one in listed if one["user"] == "frank"] == ["consumer_byte_rate"]
    on(secured, "quota", "set", "producer_byte_rate=1", check=2)
    on(secured, "quota", "set", "--user", "frank", "producer_byte_rate=-1", check=2)
    _, error = on(secured, "quota", "set", "--user", "frank", "nonsense_rate=1", check=1)
    assert error


def test_benchmarks_say_that_they_need_a_plain_listener(secured):
    _, error = on(secured, "bench", "produce", "--no-raw", check=1)
    assert "error[bench.security]" in error


def test_without_access_control(server):
    _, _, error = weir("acl", "list", "-b", server.kafka, check=1)
    assert "authorizer" in error
