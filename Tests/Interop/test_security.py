"""TLS, SASL, access rules and quotas with the clients that people use."""
import asyncio
import os
import signal
import socket
import ssl
import struct
import time
import uuid

import pytest
from conftest import eventually, remove
from security_setup import ALICE, Secured, run


@pytest.fixture(scope="module")
def secured():
    one = Secured()
    one.set_password("alice", ALICE)
    yield one
    remove(one.server)


def produce_confluent(config, topic, values):
    from confluent_kafka import Producer
    failures = []
    producer = Producer({**config, "message.timeout.ms": 8000})
    for value in values:
        producer.produce(topic, value, on_delivery=lambda e, _: e and failures.append(e))
    assert producer.flush(20) == 0
    return failures


def consume_confluent(config, topic, count, timeout=20):
    """The values, and the errors met."""
    from confluent_kafka import Consumer
    consumer = Consumer({**config, "group.id": f"g-{uuid.uuid4()}",
                         "auto.offset.reset": "earliest", "allow.auto.create.topics": False})
    consumer.subscribe([topic])
    values, errors = [], []
    deadline = time.monotonic() + timeout
    while len(values) < count and not errors and time.monotonic() < deadline:
        message = consumer.poll(0.2)
        if message is None:
            continue
        if message.error():
            errors.append(message.error())
        else:
            values.append(message.value())
    consumer.close()
    return values, errors


# MARK: signing on


WAYS = [("SSL", None), ("SASL_PLAINTEXT", "PLAIN"), ("SASL_PLAINTEXT", "SCRAM-SHA-256"),
        ("SASL_PLAINTEXT", "SCRAM-SHA-512"), ("SASL_SSL", "PLAIN"), ("SASL_SSL", "SCRAM-SHA-256"),
        ("SASL_SSL", "SCRAM-SHA-512")]


@pytest.fixture(scope="module")
def shared_topic(secured):
    topic = secured.topic("shared")
    secured.allow("alice", "TOPIC", "shared", "ALL")
    secured.allow("alice", "GROUP", "*", "READ")
    return topic


@pytest.mark.parametrize("listener,mechanism", WAYS)
def test_confluent_signs_on(secured, shared_topic, listener, mechanism):
    config = secured.confluent(listener, mechanism, "alice", ALICE, certificate="alice")
    assert produce_confluent(config, shared_topic, [b"1", b"2" * 200_000]) == []
    values, errors = consume_confluent(config, shared_topic, 2)
    assert errors == [] and len(values) >= 2


@pytest.mark.parametrize("listener,mechanism", WAYS)
def test_kafka_python_signs_on(secured, shared_topic, listener, mechanism):
    from kafka import KafkaConsumer, KafkaProducer
    config = secured.python(listener, mechanism, "alice", ALICE, certificate="alice")
    producer = KafkaProducer(**config)
    producer.send(shared_topic, b"x" * 300_000).get(20)
    producer.close()
    consumer = KafkaConsumer(shared_topic, auto_offset_reset="earliest",
                             consumer_timeout_ms=10_000, **config)
    assert next(consumer).value
    consumer.close()


@pytest.mark.parametrize("listener,mechanism", WAYS)
def test_aiokafka_signs_on(secured, shared_topic, listener, mechanism):
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

    async def run():
        config = secured.python(listener, mechanism, "alice", ALICE, certificate="alice")
        async with AIOKafkaProducer(**config) as producer:
            await producer.send_and_wait(shared_topic, b"y" * 100_000)
        async with AIOKafkaConsumer(shared_topic, auto_offset_reset="earliest",
                                    **config) as consumer:
            message = await asyncio.wait_for(consumer.getone(), 10)
            assert message.value

    asyncio.run(run())


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "HS256"])
def test_tokens_sign_on(secured, shared_topic, algorithm):
    def token(_):
        return secured.tokens.token("alice", algorithm), time.time() + 300

    config = secured.confluent("TOKENS", None, **{
        "sasl.mechanism": "OAUTHBEARER", "oauth_cb": token})
    assert produce_confluent(config, shared_topic, [b"token"]) == []


def test_aiokafka_signs_on_by_token(secured, shared_topic):
    from aiokafka import AIOKafkaProducer
    from aiokafka.abc import AbstractTokenProvider

    class Provider(AbstractTokenProvider):
        async def token(self):
            return secured.tokens.token("alice")

    async def run():
        producer = AIOKafkaProducer(
            bootstrap_servers=secured.address("TOKENS"), security_protocol="SASL_PLAINTEXT",
            sasl_mechanism="OAUTHBEARER", sasl_oauth_token_provider=Provider())
        async with producer:
            await producer.send_and_wait(shared_topic, b"z")

    asyncio.run(run())


def sign_on_by_token(secured, token):
    """The error of a sign-on with this token, None when it worked."""
    from confluent_kafka import Producer
    errors = []
    producer = Producer(secured.confluent("TOKENS", None, **{
        "sasl.mechanism": "OAUTHBEARER", "oauth_cb": lambda _: (token, time.time() + 300),
        "error_cb": errors.append}))
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline and not errors:
        producer.poll(0.1)
        try:
            producer.list_topics("shared", timeout=0.5)
            return None
        except Exception:
            continue
    return errors[0] if errors else "nothing"


def test_wrong_tokens_are_refused(secured, shared_topic):
    tokens = secured.tokens
    now = int(time.time())
    good = tokens.token("alice")
    assert sign_on_by_token(secured, good) is None
    header, claims, signature = good.split(".")
    public = open(secured.path("keys.json"), "rb").read()
    wrong = {
        "expired": tokens.token("alice", exp=now - 60),
        "not yet valid": tokens.token("alice", nbf=now + 600),
        "another issuer": tokens.token("alice", iss="https://evil.example"),
        "another audience": tokens.token("alice", aud="other"),
        "changed": ".".join([header, tokens.token("admin").split(".")[1], signature]),
        "the key set as shared key": tokens.token("alice", "HS256", kid="rsa", key=public),
        "another key's id": tokens.token("alice", "ES256", kid="rsa"),
    }
    for what, token in wrong.items():
        assert sign_on_by_token(secured, token) is not None, what


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
@pytest.mark.parametrize("user,password", [("alice", "wrong"), ("nobody", ALICE)])
def test_wrong_passwords_are_refused(secured, mechanism, user, password):
    from confluent_kafka import KafkaError
    from confluent_kafka.admin import AdminClient
    errors = []
    admin = AdminClient(secured.confluent(
        "SASL_PLAINTEXT", mechanism, user, password, error_cb=errors.append))
    eventually(lambda: admin.poll(0.2) or any(
        e.code() == KafkaError._AUTHENTICATION for e in errors), 10, "a refusal")
    text = " ".join(str(e) for e in errors)
    assert "invalid credentials" in text, text


def test_aiokafka_is_told_of_a_wrong_password(secured):
    from aiokafka import AIOKafkaProducer
    from aiokafka.errors import KafkaError

    async def run():
        producer = AIOKafkaProducer(**secured.python(user="alice", password="wrong"))
        with pytest.raises(KafkaError):
            await producer.start()
        await producer.stop()

    asyncio.run(run())


def test_a_mechanism_that_does_not_exist_is_refused(secured):
    name = b"SCRAM-SHA-1"
    request = (struct.pack(">hhih", 17, 1, 7, 4) + b"test"
               + struct.pack(">h", len(name)) + name)
    with socket.create_connection(("127.0.0.1", secured.ports["SASL_PLAINTEXT"]),
                                  timeout=10) as stranger:
        stranger.sendall(struct.pack(">i", len(request)) + request)
        answer = b""
        while part := stranger.recv(4096):
            answer += part
    # The answer lists what there is, then the broker hangs up.
    assert answer[4:10] == struct.pack(">ih", 7, 33)
    assert b"SCRAM-SHA-512" in answer


def test_a_stranger_can_not_say_much(secured):
    for data in [struct.pack(">i", 70_000), struct.pack(">i", 100_000_000), b"\xff" * 4]:
        with socket.create_connection(("127.0.0.1", secured.ports["SASL_PLAINTEXT"]),
                                      timeout=10) as stranger:
            stranger.sendall(data)
            assert stranger.recv(10) == b""


# MARK: TLS


def test_old_versions_of_tls_are_refused(secured):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", secured.ports["SSL"]), timeout=5) as plain:
        with pytest.raises((ssl.SSLError, OSError)):
            context.wrap_socket(plain)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_new_versions_of_tls_work(secured, version):
    context = ssl.create_default_context(cafile=secured.path("ca.pem"))
    context.minimum_version = context.maximum_version = version
    with socket.create_connection(("127.0.0.1", secured.ports["SSL"]), timeout=5) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as session:
            session.sendall(bytes.fromhex("0000000e 0012 0000 00000007 0004 74657374"))
            length = int.from_bytes(session.recv(4, ), "big")
            answer = b""
            while len(answer) < length:
                answer += session.recv(length - len(answer))
            assert answer[:6] == bytes.fromhex("00000007 0000")


def test_garbage_instead_of_tls_closes_the_connection(secured):
    # Whole records all of them: half a record is waited for, though not for ever.
    for data in [b"GET / HTTP/1.1\r\n\r\n", b"\x17\x03\x03\x01\x00" + os.urandom(256),
                 b"\x16\x03\x01\x01\x00" + b"\xff" * 256]:
        with socket.create_connection(("127.0.0.1", secured.ports["SSL"]), timeout=10) as stranger:
            stranger.sendall(data)
            stranger.settimeout(10)
            try:
                while stranger.recv(4096):
                    pass
            except ConnectionError:
                pass
    assert secured.server.is_running()


def test_certificates_are_read_again(secured):
    address = ("127.0.0.1", secured.ports["SSL"])
    before = ssl.get_server_certificate(address)
    run("openssl", "x509", "-req", "-days", "3", "-in", secured.path("server.csr"),
        "-CA", secured.path("ca.pem"), "-CAkey", secured.path("ca.key"), "-CAcreateserial",
        "-extfile", secured.path("server.ext"), "-out", secured.path("server.pem"))
    secured.server.process.send_signal(signal.SIGHUP)
    eventually(lambda: ssl.get_server_certificate(address) != before, 10, "a new certificate")
    # One that can't be read changes nothing.
    with open(secured.path("server.pem"), "r+") as file:
        good = file.read()
        file.seek(0)
        file.truncate()
        file.write("rubbish")
    now = ssl.get_server_certificate(address)
    secured.server.process.send_signal(signal.SIGHUP)
    eventually(lambda: "stay in use" in secured.server.tail(), 10, "a complaint")
    assert ssl.get_server_certificate(address) == now
    with open(secured.path("server.pem"), "w") as file:
        file.write(good)


def test_a_certificate_of_a_strange_authority_is_refused(secured):
    context = ssl.create_default_context(cafile=secured.path("ca.pem"))
    context.load_cert_chain(secured.path("mallory.pem"), secured.path("mallory.key"))
    with socket.create_connection(("127.0.0.1", secured.ports["SSL"]), timeout=10) as plain:
        with pytest.raises((ssl.SSLError, OSError)):
            with context.wrap_socket(plain, server_hostname="localhost") as session:
                # With TLS 1.3 the refusal comes with the first read.
                session.sendall(bytes.fromhex("0000000e 0012 0000 00000007 0004 74657374"))
                if not session.recv(4):
                    raise OSError("closed")


def test_each_listener_is_advertised_to_its_clients(secured):
    from kafka import KafkaAdminClient
    for listener in ["SSL", "SASL_PLAINTEXT", "SASL_SSL"]:
        admin = KafkaAdminClient(**secured.python(listener, certificate="alice"))
        brokers = admin.describe_cluster()["brokers"]
        assert [(b["host"], b["port"]) for b in brokers] == [("localhost", secured.ports[listener])]
        admin.close()


# MARK: access


def test_a_client_without_rules_sees_and_does_nothing(secured):
    from confluent_kafka import KafkaError
    topic = secured.topic("hidden")
    secured.set_password("eve", "eve-password")
    config = secured.confluent(user="eve", password="eve-password")
    admin = secured.admin(user="eve", password="eve-password")
    assert "hidden" not in admin.list_topics(timeout=10).topics
    named = admin.list_topics("hidden", timeout=10).topics["hidden"]
    assert named.error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    failures = produce_confluent(config, topic, [b"x"])
    assert [f.code() for f in failures] == [KafkaError.TOPIC_AUTHORIZATION_FAILED]
    _, errors = consume_confluent(config, topic, 1)
    assert errors[0].code() in (KafkaError.TOPIC_AUTHORIZATION_FAILED,
                                KafkaError.GROUP_AUTHORIZATION_FAILED)


def test_a_denial_wins(secured):
    from confluent_kafka import KafkaError
    secured.set_password("dan", "dan-password")
    topic = secured.topic("pay.out")
    secured.allow("dan", "TOPIC", "pay.", "ALL", pattern="PREFIXED")
    config = secured.confluent(user="dan", password="dan-password")
    assert produce_confluent(config, topic, [b"x"]) == []
    secured.allow("dan", "TOPIC", "pay.out", "WRITE", permission="DENY")
    failures = produce_confluent(config, topic, [b"x"])
    assert [f.code() for f in failures] == [KafkaError.TOPIC_AUTHORIZATION_FAILED]


def test_a_subscribed_pattern_finds_what_the_member_may_describe(secured):
    from confluent_kafka import Consumer, KafkaError, KafkaException
    secured.set_password("pat", "pat-password")
    seen = secured.topic("pattern.seen")
    secured.topic("pattern.hidden")
    secured.allow("pat", "TOPIC", seen, "READ")
    secured.allow("pat", "GROUP", "pattern-group", "READ")
    config = secured.confluent(user="pat", password="pat-password")
    member = Consumer({**config, "group.id": "pattern-group", "group.protocol": "consumer"})
    member.subscribe(["^pattern\\..*"])
    deadline = time.monotonic() + 30
    while not member.assignment() and time.monotonic() < deadline:
        member.poll(0.1)
    assert [part.topic for part in member.assignment()] == [seen]
    # A client drops what it can't look up: what it was given says the broker.
    root = secured.admin()
    group = root.describe_consumer_groups(["pattern-group"])["pattern-group"].result(20)
    assert [part.topic for part in group.members[0].assignment.topic_partitions] == [seen]
    # Names of topics are not learned from a group either.
    secured.set_password("pia", "pia-password")
    secured.allow("pia", "GROUP", "pattern-group", "DESCRIBE")
    admin = secured.admin(user="pia", password="pia-password")
    with pytest.raises(KafkaException) as refused:
        admin.describe_consumer_groups(["pattern-group"])["pattern-group"].result(20)
    assert refused.value.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    secured.allow("pia", "TOPIC", seen, "DESCRIBE")
    group = admin.describe_consumer_groups(["pattern-group"])["pattern-group"].result(20)
    assert len(group.members) == 1
    member.close()


def test_admin_calls_need_their_rules(secured):
    from confluent_kafka import KafkaError, KafkaException
    from confluent_kafka.admin import ConfigResource, NewPartitions, NewTopic
    from kafka import KafkaAdminClient
    from kafka.admin import (ACLFilter, ACLOperation, ACLPermissionType, ACLResourcePatternType,
                             ResourcePatternFilter, ResourceType)
    from kafka.errors import ClusterAuthorizationFailedError
    secured.set_password("fay", "fay-password")
    secured.topic("theirs")
    admin = secured.admin(user="fay", password="fay-password")

    def code(futures):
        with pytest.raises(KafkaException) as failure:
            (futures if not isinstance(futures, dict) else next(iter(futures.values()))).result(20)
        return failure.value.args[0].code()

    topic_denied = KafkaError.TOPIC_AUTHORIZATION_FAILED
    cluster_denied = KafkaError.CLUSTER_AUTHORIZATION_FAILED
    assert code(admin.create_topics([NewTopic("mine", 1)])) in (topic_denied, cluster_denied)
    assert code(admin.delete_topics(["theirs"])) == topic_denied
    assert code(admin.create_partitions([NewPartitions("theirs", 4)])) == topic_denied
    assert code(admin.describe_configs([ConfigResource("topic", "theirs")])) == topic_denied
    assert code(admin.describe_configs([ConfigResource("broker", "1")])) == cluster_denied
    # confluent-kafka drops the error of the first and crashes on that of the second.
    other = KafkaAdminClient(**secured.python(user="fay", password="fay-password"))
    with pytest.raises(ClusterAuthorizationFailedError):
        other.describe_acls(ACLFilter(
            principal=None, host="*", operation=ACLOperation.ANY,
            permission_type=ACLPermissionType.ANY, resource_pattern=ResourcePatternFilter(
                ResourceType.ANY, None, ACLResourcePatternType.ANY)))
    with pytest.raises(ClusterAuthorizationFailedError):
        other.describe_user_scram_credentials(["alice"])
    other.close()
    secured.allow("fay", "TOPIC", "mine", "CREATE")
    admin.create_topics([NewTopic("mine", 1)])["mine"].result(20)


def test_rules_are_listed_and_removed(secured):
    from confluent_kafka.admin import (AclBindingFilter, AclOperation, AclPermissionType,
                                       ResourcePatternType, ResourceType)
    rule = secured.allow("gus", "TOPIC", "g.", "READ", pattern="PREFIXED")
    admin = secured.admin()
    filter = AclBindingFilter(ResourceType.ANY, None, ResourcePatternType.ANY, "User:gus", None,
                              AclOperation.ANY, AclPermissionType.ANY)
    assert admin.describe_acls(filter).result(20) == [rule]
    assert next(iter(admin.delete_acls([filter]).values())).result(20) == [rule]
    assert admin.describe_acls(filter).result(20) == []


def test_mutual_tls_names_the_client(secured):
    from kafka import KafkaAdminClient
    from confluent_kafka import KafkaError
    topic = secured.topic("certified")
    config = secured.confluent("SSL", None, certificate="alice")
    assert [f.code() for f in produce_confluent(config, topic, [b"x"])] == [
        KafkaError.TOPIC_AUTHORIZATION_FAILED]
    secured.allow("alice", "TOPIC", "certified", "WRITE")
    assert produce_confluent(config, topic, [b"x"]) == []
    # Without a certificate the client is nobody.
    nobody = secured.confluent("SSL", None)
    assert [f.code() for f in produce_confluent(nobody, topic, [b"x"])] == [
        KafkaError.TOPIC_AUTHORIZATION_FAILED]


def test_passwords_can_be_changed_and_removed(secured):
    from confluent_kafka.admin import ScramMechanism, UserScramCredentialDeletion
    secured.set_password("hal", "first")
    secured.admin(user="hal", password="first").list_topics(timeout=10)
    secured.set_password("hal", "second")
    secured.admin(user="hal", password="second").list_topics(timeout=10)
    admin = secured.admin()
    described = admin.describe_user_scram_credentials(["hal"])["hal"].result(20)
    assert {c.mechanism for c in described.scram_credential_infos} == {
        ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512}
    with pytest.raises(Exception):
        secured.admin(user="hal", password="first").list_topics(timeout=3)
    admin.alter_user_scram_credentials(
        [UserScramCredentialDeletion("hal", ScramMechanism.SCRAM_SHA_512)])["hal"].result(20)
    with pytest.raises(Exception):
        secured.admin(user="hal", password="second").list_topics(timeout=3)





# MARK: what must not be seen


def test_no_secret_is_in_the_log_or_an_answer(secured):
    secured.set_password("ivy", "canary-ivy-password")
    with pytest.raises(Exception):
        secured.admin(user="ivy", password="canary-wrong", mechanism="PLAIN").list_topics(timeout=3)
    from confluent_kafka.admin import ConfigResource
    admin = secured.admin()
    configs = admin.describe_configs([ConfigResource("broker", "1")])
    shown = str({name: entry.value for name, entry in
                 next(iter(configs.values())).result(20).items()})
    _, metrics = secured.server.request("GET", "/metrics")
    log_path = os.path.join(secured.server.data, "..", "server.log")
    with open(log_path, "rb") as log:
        text = log.read().decode(errors="replace")
    assert "sign-on of" in text
    for place in [shown, str(metrics), text]:
        assert "canary" not in place


def test_the_server_survives_a_restart_with_all_of_it(secured):
    from confluent_kafka import KafkaError
    # The data directory holds rules and credentials; no password is given this time.
    secured.server.stop()
    secured.server.start("--config", secured.path("server.properties"))
    assert secured.admin().list_topics(timeout=10).topics
    named = secured.admin(user="alice", password=ALICE).list_topics("hidden", timeout=10)
    assert named.topics["hidden"].error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
