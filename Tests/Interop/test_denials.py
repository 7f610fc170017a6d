"""What is denied to whom, as clients see it.

Each line of the tables below is done by users who have every permission it needs but one, who must
be told so by the code of that kind of resource, and by one who has them all, who must not.

`REQUESTS` has every request that a client of Python can write, in its newest version and by the
client's own encoder; `CALLS` has what people call. Requests that no such client sends
(UnregisterBroker, the offsets of share groups) are in the Swift tests, which have all of them.
"""
import asyncio
import subprocess
import uuid

import confluent_kafka
import kafka.protocol.admin
import kafka.protocol.consumer
import kafka.protocol.metadata
import kafka.protocol.producer
import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (AclBinding, AclBindingFilter, AclOperation, AclPermissionType,
                                   AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions,
                                   NewTopic, ResourcePatternType, ResourceType)
from conftest import remove
from kafka import KafkaAdminClient

from security_setup import Secured

CODES = {"TOPIC": 29, "GROUP": 30, "BROKER": 31, "TRANSACTIONAL_ID": 53}
DENIED = set(CODES.values())
CLUSTER = "kafka-cluster"


def topic(operation, name="t"):
    return ("TOPIC", name, operation)


def group(operation, name="g"):
    return ("GROUP", name, operation)


def cluster(operation):
    # librdkafka calls the cluster a broker, which has the same number.
    return ("BROKER", CLUSTER, operation)


def transaction(operation):
    return ("TRANSACTIONAL_ID", "x", operation)


@pytest.fixture(scope="module")
def secured():
    one = Secured()
    for name in ("t", "doomed", "doomed-too"):
        one.topic(name)
    for name in ("g", "o", "o-too"):
        member = Consumer(one.confluent(**{"group.id": name}))
        member.commit(offsets=[TopicPartition("t", 0, 0)], asynchronous=False)
        member.close()
    producer = Producer(one.confluent())
    producer.produce("t", b"v", key=b"k")
    assert producer.flush(20) == 0
    admin = one.admin()
    setting = ConfigResource(ResourceType.GROUP, "read-share", incremental_configs=[ConfigEntry(
        "share.auto.offset.reset", "earliest", incremental_operation=AlterConfigOpType.SET)])
    for future in admin.incremental_alter_configs([setting]).values():
        future.result(20)
    yield one
    remove(one.server)


def users(secured, needs, given=()):
    """Who lacks one of the permissions, with the code that tells them; at last who lacks none.
    Everybody has those in `given`."""
    for missing in list(range(len(needs))) + [None]:
        name = "u-" + uuid.uuid4().hex[:12]
        secured.set_password(name, "secret")
        for place, permission in enumerate([*needs, *given]):
            if place != missing:
                secured.allow(name, *permission)
        yield name, None if missing is None else CODES[needs[missing][0]]


# MARK: requests


MODULES = [kafka.protocol.admin, kafka.protocol.consumer, kafka.protocol.metadata,
           kafka.protocol.producer]


def build(cls, values, version=None):
    """A request of kafka-python's from plain dictionaries and lists, in `version` or, without one,
    in the newest that both sides know."""
    def converted(field, value):
        if field.is_struct_array() and value is not None:
            return [container(field.data_class, item) for item in value]
        return value

    def container(kind, fields, **more):
        known = kind._struct.fields
        return kind(**{name: converted(known[name], value) for name, value in fields.items()},
                    **more)

    return container(cls, values, **({} if version is None else {"version": version}))


def error_codes(answer):
    """Every error code of an answer, wherever it stands."""
    if isinstance(answer, dict):
        for name, value in answer.items():
            if name.endswith("error_code"):
                yield value
            else:
                yield from error_codes(value)
    elif isinstance(answer, (list, tuple)):
        for item in answer:
            yield from error_codes(item)


def record_batch():
    from kafka.record import MemoryRecordsBuilder
    builder = MemoryRecordsBuilder(magic=2, compression_type=0, batch_size=1000)
    builder.append(timestamp=1_700_000_000_000, key=b"k", value=b"v", headers=[])
    builder.close()
    return bytes(builder.buffer())


def resource_filter(**more):
    return {"resource_type_filter": 2, "resource_name_filter": "z", "pattern_type_filter": 3,
            "principal_filter": None, "host_filter": None, "operation": 1, "permission_type": 1,
            **more}


def config_requests():
    for kind, name, need in [(2, "t", topic), (4, "1", lambda o: cluster(o)), (32, "g", group)]:
        resource = {"resource_type": kind, "resource_name": name}
        yield ("DescribeConfigs", [need("DESCRIBE_CONFIGS")],
               {"resources": [{**resource, "configuration_keys": None}]})
        for request in ("AlterConfigs", "IncrementalAlterConfigs"):
            yield (request, [need("ALTER_CONFIGS")],
                   {"resources": [{**resource, "configs": []}], "validate_only": True})


T0 = {"name": "t", "partitions": [{"partition_index": 0}]}

# The name, what it needs, its fields, and what else but an error code shows a denial.
REQUESTS = [
    ("Metadata", [topic("DESCRIBE")],
     {"topics": [{"name": "t"}], "allow_auto_topic_creation": False}),
    ("DescribeTopicPartitions", [topic("DESCRIBE")],
     {"topics": [{"name": "t"}], "response_partition_limit": 10, "cursor": None}),
    ("ListOffsets", [topic("DESCRIBE")],
     {"replica_id": -1, "topics": [
         {"name": "t", "partitions": [{"partition_index": 0, "timestamp": -1}]}]}),
    ("OffsetForLeaderEpoch", [topic("DESCRIBE")],
     {"topics": [{"topic": "t", "partitions": [{"partition": 0, "leader_epoch": 0}]}]}),
    ("DeleteRecords", [topic("DELETE")],
     {"topics": [{"name": "t", "partitions": [{"partition_index": 0, "offset": 0}]}],
      "timeout_ms": 5000}),
    ("CreateTopics", [topic("CREATE", "made"), topic("DESCRIBE_CONFIGS", "made")],
     {"topics": [{"name": "made", "num_partitions": 1, "replication_factor": 1,
                  "assignments": [], "configs": []}], "timeout_ms": 5000, "validate_only": True}),
    ("DeleteTopics", [topic("DELETE", "doomed")],
     {"topics": [{"name": "doomed", "topic_id": uuid.UUID(int=0)}], "timeout_ms": 5000}),
    ("CreatePartitions", [topic("ALTER")],
     {"topics": [{"name": "t", "count": 3, "assignments": None}], "timeout_ms": 5000,
      "validate_only": True}),
    *config_requests(),
    ("FindCoordinator", [group("DESCRIBE")], {"key_type": 0, "coordinator_keys": ["g"]}),
    ("FindCoordinator", [transaction("DESCRIBE")], {"key_type": 1, "coordinator_keys": ["x"]}),
    ("JoinGroup", [group("READ", "j")],
     {"group_id": "j", "session_timeout_ms": 10_000, "rebalance_timeout_ms": 10_000,
      "member_id": "", "protocol_type": "consumer",
      "protocols": [{"name": "range", "metadata": b""}]}),
    ("SyncGroup", [group("READ")],
     {"group_id": "g", "generation_id": 1, "member_id": "m", "assignments": []}),
    ("Heartbeat", [group("READ")], {"group_id": "g", "generation_id": 1, "member_id": "m"}),
    ("LeaveGroup", [group("READ")], {"group_id": "g", "members": [{"member_id": "m"}]}),
    ("DescribeGroups", [group("DESCRIBE")], {"groups": ["g"]}),
    ("ListGroups", [group("DESCRIBE")], {"states_filter": [], "types_filter": []},
     lambda answer: not any(one["group_id"] == "g" for one in answer["groups"])),
    ("ListGroups", [cluster("DESCRIBE")], {"states_filter": [], "types_filter": []},
     lambda answer: not answer["groups"]),
    ("OffsetDelete", [group("DELETE", "o"), topic("READ")],
     {"group_id": "o", "topics": [T0]}),
    ("DeleteGroups", [group("DELETE", "never")], {"groups_names": ["never"]}),
    ("InitProducerId", [cluster("IDEMPOTENT_WRITE")],
     {"transactional_id": None, "transaction_timeout_ms": 1000, "producer_id": -1,
      "producer_epoch": -1}),
    ("InitProducerId", [transaction("WRITE")],
     {"transactional_id": "x", "transaction_timeout_ms": 1000, "producer_id": -1,
      "producer_epoch": -1}),
    ("AddOffsetsToTxn", [transaction("WRITE"), group("READ")],
     {"transactional_id": "x", "producer_id": 1, "producer_epoch": 0, "group_id": "g"}),
    ("EndTxn", [transaction("WRITE")],
     {"transactional_id": "x", "producer_id": 1, "producer_epoch": 0, "committed": True}),
    ("WriteTxnMarkers", [cluster("ALTER")],
     {"markers": [{"producer_id": 99, "producer_epoch": 0, "transaction_result": False,
                   "topics": [{"name": "t", "partition_indexes": [0]}],
                   "coordinator_epoch": 0}]}),
    ("TxnOffsetCommit", [transaction("WRITE"), group("READ"), topic("READ")],
     {"transactional_id": "x", "group_id": "g", "producer_id": 1, "producer_epoch": 0,
      "topics": [{"name": "t", "partitions": [
          {"partition_index": 0, "committed_offset": 0}]}]}),
    ("DescribeProducers", [topic("READ")],
     {"topics": [{"name": "t", "partition_indexes": [0]}]}),
    ("DescribeTransactions", [transaction("DESCRIBE")], {"transactional_ids": ["x"]}),
    ("DescribeLogDirs", [cluster("DESCRIBE")], {"topics": None}),
    ("AlterReplicaLogDirs", [cluster("ALTER")],
     {"dirs": [{"path": "/x", "topics": [{"name": "t", "partitions": [0]}]}]}),
    ("ElectLeaders", [cluster("ALTER")],
     {"election_type": 0, "topic_partitions": [{"topic": "t", "partitions": [0]}],
      "timeout_ms": 5000}),
    ("AlterPartitionReassignments", [cluster("ALTER")], {"timeout_ms": 5000, "topics": []}),
    ("ListPartitionReassignments", [cluster("DESCRIBE")], {"timeout_ms": 5000, "topics": None}),
    ("DescribeQuorum", [cluster("DESCRIBE")],
     {"topics": [{"topic_name": "__cluster_metadata", "partitions": [{"partition_index": 0}]}]}),
    ("UpdateFeatures", [cluster("ALTER")], {"timeout_ms": 5000, "feature_updates": []}),
    ("ListConfigResources", [cluster("DESCRIBE_CONFIGS")], {"resource_types": []}),
    ("DescribeAcls", [cluster("DESCRIBE")], resource_filter()),
    ("CreateAcls", [cluster("ALTER")],
     {"creations": [{"resource_type": 2, "resource_name": "z", "resource_pattern_type": 3,
                     "principal": "User:z", "host": "*", "operation": 3, "permission_type": 3}]}),
    ("DeleteAcls", [cluster("ALTER")], {"filters": [resource_filter()]}),
    ("DescribeUserScramCredentials", [cluster("DESCRIBE")], {"users": None}),
    ("AlterUserScramCredentials", [cluster("ALTER")],
     {"deletions": [{"name": "nobody", "mechanism": 1}], "upsertions": []}),
    ("DescribeClientQuotas", [cluster("DESCRIBE_CONFIGS")], {"components": [], "strict": False}),
    ("AlterClientQuotas", [cluster("ALTER_CONFIGS")],
     {"entries": [{"entity": [{"entity_type": "user", "entity_name": "q"}], "ops": []}],
      "validate_only": True}),
]

# The same of requests whose newest version names topics by their id, or that broker and client
# speak differently: (name, version, needs, fields).
OLDER_REQUESTS = [
    ("Produce", 9, [topic("WRITE")],
     lambda: {"transactional_id": None, "acks": -1, "timeout_ms": 5000, "topic_data": [
         {"name": "t", "partition_data": [{"index": 0, "records": record_batch()}]}]}),
    ("Fetch", 11, [topic("READ")],
     lambda: {"max_wait_ms": 0, "min_bytes": 0, "max_bytes": 1000, "topics": [
         {"topic": "t", "partitions": [{"partition": 0, "partition_max_bytes": 1000}]}]}),
    ("OffsetCommit", 8, [group("READ"), topic("READ")],
     lambda: {"group_id": "g", "generation_id_or_member_epoch": -1, "member_id": "",
              "topics": [{"name": "t", "partitions": [
                  {"partition_index": 0, "committed_offset": 0}]}]}),
    ("OffsetFetch", 8, [group("DESCRIBE"), topic("DESCRIBE")],
     lambda: {"groups": [{"group_id": "g", "topics": [
         {"name": "t", "partition_indexes": [0]}]}]}),
    ("AddPartitionsToTxn", 3, [transaction("WRITE"), topic("WRITE")],
     lambda: {"v3_and_below_transactional_id": "x", "v3_and_below_producer_id": 1,
              "v3_and_below_producer_epoch": 0,
              "v3_and_below_topics": [{"name": "t", "partitions": [0]}]}),
    ("AddPartitionsToTxn", 4, [cluster("CLUSTER_ACTION")],
     lambda: {"transactions": [{
         "transactional_id": "x", "producer_id": 1, "producer_epoch": 0, "verify_only": False,
         "topics": [{"name": "t", "partitions": [0]}]}]}),
]

# Answered to everybody: sign-on, versions, and lists that leave out what one may not see.
OPEN = {"ApiVersions", "DescribeCluster", "ListTransactions"}


def request_class(name):
    for module in MODULES:
        if hasattr(module, name + "Request"):
            return getattr(module, name + "Request")
    raise AssertionError(f"kafka-python has no {name}Request")


def check_request(secured, name, needs, values, version=None, is_denied=lambda answer: False):
    for user, code in users(secured, needs):
        client = KafkaAdminClient(**secured.python(user=user, password="secret"))
        try:
            async def ask():
                return await client._manager.send(build(request_class(name), values, version))
            answer = client._manager.run(ask).to_dict()
        finally:
            client.close()
        codes = set(error_codes(answer))
        if code is None:
            assert not codes & DENIED and not is_denied(answer), (name, needs, answer)
        elif not is_denied(answer):
            assert code in codes, (name, needs, CODES, answer)


@pytest.mark.parametrize("line", REQUESTS, ids=lambda line: line[0] + "-" + line[1][0][0].lower())
def test_a_request_needs_its_permissions(secured, line):
    name, needs, values, *rest = line
    check_request(secured, name, needs, values, None, *rest)


@pytest.mark.parametrize("line", OLDER_REQUESTS, ids=lambda line: f"{line[0]}-{line[1]}")
def test_an_older_request_needs_its_permissions(secured, line):
    name, version, needs, values = line
    check_request(secured, name, needs, values(), version)


def test_no_request_of_the_client_was_forgotten():
    known = {name.removesuffix("Request") for module in MODULES for name in dir(module)
             if name.endswith("Request")}
    listed = {line[0] for line in REQUESTS} | {line[0] for line in OLDER_REQUESTS} | OPEN
    assert known - listed == set()


# MARK: calls


def run_confluent_admin(call):
    """A call of the admin client, which answers with futures by name."""
    def run(secured, user):
        admin = secured.admin(user=user, password="secret")
        futures = call(admin)
        for future in futures.values() if isinstance(futures, dict) else [futures]:
            for partition in getattr(future.result(20), "topic_partitions", None) or []:
                if partition.error:
                    raise KafkaException(partition.error)
    return run


def produce(**more):
    def run(secured, user):
        failures = []
        producer = Producer({**secured.confluent(user=user, password="secret"), **more})
        producer.produce("t", b"v", on_delivery=lambda error, _: error and failures.append(error))
        assert producer.flush(20) == 0
        for failure in failures:
            raise KafkaException(failure)
    return run


def transact(with_offsets):
    def run(secured, user):
        producer = Producer({**secured.confluent(user=user, password="secret"),
                             "transactional.id": "x"})
        producer.init_transactions(20)
        producer.begin_transaction()
        failures = []
        producer.produce("t", b"v", on_delivery=lambda error, _: error and failures.append(error))
        producer.flush(20)
        if with_offsets:
            member = Consumer(secured.confluent(user=user, password="secret", **{"group.id": "g"}))
            metadata = member.consumer_group_metadata()
            member.close()
            producer.send_offsets_to_transaction([TopicPartition("t", 0, 0)], metadata, 20)
        try:
            producer.commit_transaction(20)
        except KafkaException as failure:
            # What the broker said; the other of the two says only that there was an error.
            told = [error for error in [*failures, failure.args[0]] if error.code() > 0]
            raise KafkaException(told[0]) if told else failure
    return run


def consume(protocol, cls=Consumer):
    def run(secured, user):
        config = {**secured.confluent(user=user, password="secret"),
                  "group.id": "read-" + protocol}
        if cls is Consumer:
            config.update({"auto.offset.reset": "earliest", "group.protocol": protocol})
        member = cls(config)
        try:
            member.subscribe(["t"])
            for _ in range(100):
                found = member.poll(0.2)
                if cls is Consumer:
                    found = [found] if found else []
                for message in found:
                    if message.error() is None:
                        return
                    raise KafkaException(message.error())
            raise AssertionError("neither a record nor an error in 20 s")
        finally:
            member.close()
    return run


def with_consumer(call):
    def run(secured, user):
        member = Consumer(secured.confluent(user=user, password="secret", **{"group.id": "g"}))
        try:
            for partition in call(member) or []:
                if partition.error:
                    raise KafkaException(partition.error)
        finally:
            member.close()
    return run


def aio(call):
    def run(secured, user):
        asyncio.run(call(secured.python(user=user, password="secret")))
    return run


async def aio_produce(config):
    from aiokafka import AIOKafkaProducer
    async with AIOKafkaProducer(**config) as producer:
        await asyncio.wait_for(producer.send_and_wait("t", b"v"), 20)


async def aio_transact(config):
    from aiokafka import AIOKafkaProducer
    async with AIOKafkaProducer(transactional_id="x", **config) as producer:
        async with producer.transaction():
            await asyncio.wait_for(producer.send_and_wait("t", b"v"), 20)


async def aio_consume(config):
    from aiokafka import AIOKafkaConsumer
    async with AIOKafkaConsumer("t", group_id="aio", auto_offset_reset="earliest",
                                **config) as consumer:
        await asyncio.wait_for(consumer.getone(), 20)


async def aio_create(config):
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic as New
    from aiokafka.errors import for_code
    admin = AIOKafkaAdminClient(**config)
    await admin.start()
    try:
        answer = await admin.create_topics([New("made", 1, 1)], validate_only=True)
        for _, code, *_ in answer.topic_errors:
            if code:
                raise for_code(code)
    finally:
        await admin.close()


def kcat(*arguments, input=None):
    """What kcat writes to its error output names the error, not its code."""
    def run(secured, user):
        done = subprocess.run(
            ["kcat", "-b", secured.address("SASL_PLAINTEXT"),
             "-X", "security.protocol=SASL_PLAINTEXT", "-X", "sasl.mechanism=SCRAM-SHA-512",
             "-X", f"sasl.username={user}", "-X", "sasl.password=secret", *arguments],
            capture_output=True, text=True, input=input, timeout=60)
        said = (done.stdout + done.stderr).lower()
        for word, code in [("topic authorization failed", 29), ("group authorization failed", 30),
                           ("may not describe group", 30)]:
            if word in said:
                raise KafkaException(KafkaError(code))
        assert done.returncode == 0, said
    return run


def config_entry():
    return ConfigResource("topic", "t", incremental_configs=[ConfigEntry(
        "retention.ms", "1000000", incremental_operation=AlterConfigOpType.SET)])


RULE = AclBinding(ResourceType.TOPIC, "z", ResourcePatternType.LITERAL, "User:z", "*",
                  AclOperation.READ, AclPermissionType.DENY)
RULES = AclBindingFilter(ResourceType.TOPIC, "z", ResourcePatternType.LITERAL, None, None,
                         AclOperation.ANY, AclPermissionType.ANY)
FIRST = TopicPartition("t", 0, 0)

CALLS = {
    "confluent produce": ([topic("WRITE")], produce()),
    "confluent transaction":
        ([transaction("WRITE"), topic("WRITE")], transact(with_offsets=False)),
    "confluent transaction with offsets":
        ([transaction("WRITE"), topic("WRITE"), topic("READ"), group("READ")],
         transact(with_offsets=True)),
    "confluent classic group":
        ([group("READ", "read-classic"), topic("READ")], consume("classic")),
    "confluent consumer group":
        ([group("READ", "read-consumer"), topic("READ")], consume("consumer")),
    "confluent commit":
        ([group("READ"), topic("READ")],
         with_consumer(lambda one: one.commit(offsets=[FIRST], asynchronous=False))),
    "confluent committed":
        ([topic("DESCRIBE")], with_consumer(lambda one: one.committed([FIRST], 20))),
    "confluent create_topics":
        ([topic("CREATE", "made")], run_confluent_admin(
            lambda admin: admin.create_topics([NewTopic("made", 1)], validate_only=True))),
    "confluent delete_topics":
        ([topic("DELETE", "doomed-too")], run_confluent_admin(
            lambda admin: admin.delete_topics(["doomed-too"]))),
    "confluent create_partitions":
        ([topic("ALTER")], run_confluent_admin(
            lambda admin: admin.create_partitions([NewPartitions("t", 2)], validate_only=True))),
    "confluent describe_configs":
        ([topic("DESCRIBE_CONFIGS")], run_confluent_admin(
            lambda admin: admin.describe_configs([ConfigResource("topic", "t")]))),
    "confluent incremental_alter_configs":
        ([topic("ALTER_CONFIGS")], run_confluent_admin(
            lambda admin: admin.incremental_alter_configs([config_entry()]))),
    "confluent describe_topics":
        ([topic("DESCRIBE")], run_confluent_admin(
            lambda admin: admin.describe_topics(confluent_kafka.TopicCollection(["t"])))),
    "confluent delete_records":
        ([topic("DELETE")], run_confluent_admin(lambda admin: admin.delete_records([FIRST]))),
    "confluent describe_consumer_groups":
        ([group("DESCRIBE")], run_confluent_admin(
            lambda admin: admin.describe_consumer_groups(["g"]))),
    "confluent delete_consumer_groups":
        ([group("DELETE", "o-too")], run_confluent_admin(
            lambda admin: admin.delete_consumer_groups(["o-too"]))),
    "confluent list_consumer_group_offsets":
        ([group("DESCRIBE")], run_confluent_admin(
            lambda admin: admin.list_consumer_group_offsets(
                [confluent_kafka.ConsumerGroupTopicPartitions("g")]))),
    "confluent alter_consumer_group_offsets":
        ([group("READ"), topic("READ")], run_confluent_admin(
            lambda admin: admin.alter_consumer_group_offsets(
                [confluent_kafka.ConsumerGroupTopicPartitions("g", [FIRST])]))),
    "confluent create_acls":
        ([cluster("ALTER")], run_confluent_admin(lambda admin: admin.create_acls([RULE]))),
    "confluent delete_acls":
        ([cluster("ALTER")], run_confluent_admin(lambda admin: admin.delete_acls([RULES]))),
    "aiokafka produce": ([topic("WRITE")], aio(aio_produce)),
    "aiokafka transaction": ([transaction("WRITE"), topic("WRITE")], aio(aio_transact)),
    "aiokafka group": ([group("READ", "aio"), topic("READ")], aio(aio_consume)),
    "aiokafka create_topics": ([topic("CREATE", "made")], aio(aio_create)),
    "kcat produce": ([topic("WRITE")], kcat("-P", "-t", "t", input="v\n")),
    "kcat consume": ([topic("READ")], kcat("-C", "-t", "t", "-o", "beginning", "-c", "1", "-e")),
    "kcat group": ([group("READ", "cat"), topic("READ")],
                   kcat("-G", "cat", "-c", "1", "-X", "auto.offset.reset=earliest", "t")),
}
# librdkafka asks for the coordinator and for metadata first, and where these are denied it does not
# hand on the code but says that it knows no coordinator or no partition.
GIVEN = {
    "confluent commit": [group("DESCRIBE")],
    "confluent committed": [group("DESCRIBE")],
    "confluent delete_records": [topic("DESCRIBE")],
}
if hasattr(confluent_kafka, "ShareConsumer"):
    CALLS["confluent share group"] = (
        [group("READ", "read-share"), topic("READ")],
        consume("share", confluent_kafka.ShareConsumer))


@pytest.mark.parametrize("name", CALLS)
def test_a_call_needs_its_permissions(secured, name):
    needs, call = CALLS[name]
    for user, code in users(secured, needs, GIVEN.get(name, [])):
        found = None
        try:
            call(secured, user)
        except KafkaException as failure:
            found = failure.args[0].code()
        except Exception as failure:  # kafka-python's and aiokafka's, which have the code, too
            found = getattr(failure, "errno", None)
            if found is None:
                raise
        if code is None:
            assert found is None, (name, needs, found)
        else:
            assert found == code, (name, needs, code, found)
