"""Administration of groups of both kinds with confluent-kafka and kafka-python."""
import pytest
from confluent_kafka import (Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException,
                             TopicPartition)
from confluent_kafka.admin import AdminClient, NewTopic

from conftest import eventually, new_server, remove


@pytest.fixture(scope="module")
def server():
    one = new_server().start("-X", "group.initial.rebalance.delay.ms=0")
    yield one
    remove(one)


@pytest.fixture(scope="module")
def admin(server):
    client = AdminClient({"bootstrap.servers": server.kafka})
    client.create_topics([NewTopic("t", 4, 1)])["t"].result(30)
    client.create_topics([NewTopic("u", 1, 1)])["u"].result(30)
    return client


def member(server, group, protocol):
    one = Consumer({"bootstrap.servers": server.kafka, "group.id": group,
                    "group.protocol": protocol, "enable.auto.commit": False})
    one.subscribe(["t"])

    def has_partitions():
        one.poll(0.1)
        return len(one.assignment()) == 4
    eventually(has_partitions, 30, "an assignment")
    return one


def error_of(future):
    with pytest.raises(KafkaException) as caught:
        future.result(30)
    return caught.value.args[0].code()


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_group_is_listed_described_emptied_and_deleted(server, admin, protocol):
    from confluent_kafka import ConsumerGroupState, ConsumerGroupType
    name = f"{protocol}-group"
    one = member(server, name, protocol)
    one.commit(offsets=[TopicPartition("t", 0, 5)], asynchronous=False)
    kind = ConsumerGroupType.CLASSIC if protocol == "classic" else ConsumerGroupType.CONSUMER
    listed = admin.list_consumer_groups(types={kind}).result(30)
    found = {group.group_id: group for group in listed.valid}
    assert found[name].state == ConsumerGroupState.STABLE
    assert found[name].type == kind
    other = ({ConsumerGroupType.CLASSIC, ConsumerGroupType.CONSUMER} - {kind}).pop()
    assert name not in [g.group_id for g in admin.list_consumer_groups(types={other})
                        .result(30).valid]
    empty = admin.list_consumer_groups(states={ConsumerGroupState.EMPTY}).result(30)
    assert name not in [group.group_id for group in empty.valid]
    described = admin.describe_consumer_groups([name])[name].result(30)
    assert described.state == ConsumerGroupState.STABLE
    assert len(described.members) == 1
    assert len(described.members[0].assignment.topic_partitions) == 4
    assert error_of(admin.delete_consumer_groups([name])[name]) == KafkaError.NON_EMPTY_GROUP
    one.close()
    eventually(lambda: admin.describe_consumer_groups([name])[name].result(30).state
               == ConsumerGroupState.EMPTY, 20, "the group is empty")
    admin.delete_consumer_groups([name])[name].result(30)
    assert error_of(admin.delete_consumer_groups([name])[name]) == KafkaError.GROUP_ID_NOT_FOUND


def test_offsets_are_altered_and_listed(server, admin):
    wanted = [TopicPartition("t", 1, 7), TopicPartition("t", 2, 9)]
    request = [ConsumerGroupTopicPartitions("altered", wanted)]
    admin.alter_consumer_group_offsets(request)["altered"].result(30)
    found = admin.list_consumer_group_offsets(
        [ConsumerGroupTopicPartitions("altered")])["altered"].result(30)
    assert {(p.partition, p.offset) for p in found.topic_partitions} == {(1, 7), (2, 9)}
    one = member(server, "busy", "consumer")
    refused = admin.alter_consumer_group_offsets(
        [ConsumerGroupTopicPartitions("busy", [TopicPartition("t", 0, 1)])])["busy"]
    try:
        result = refused.result(30)
        assert all(part.error is not None for part in result.topic_partitions)
    except KafkaException as failure:
        assert failure.args[0].code() == KafkaError.UNKNOWN_MEMBER_ID
    one.close()


def test_kafka_python_administers_groups(server, admin):
    from kafka import KafkaAdminClient, TopicPartition as Place
    client = KafkaAdminClient(bootstrap_servers=server.kafka)
    admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(
        "kp", [TopicPartition("t", 0, 3), TopicPartition("u", 0, 4)])])["kp"].result(30)
    names = [group[0] if isinstance(group, tuple) else group.get("group_id", group)
             if isinstance(group, dict) else getattr(group, "group_id", group)
             for group in (client.list_groups() if hasattr(client, "list_groups")
                           else client.list_consumer_groups())]
    assert "kp" in str(names)
    listing = (client.list_group_offsets if hasattr(client, "list_group_offsets")
               else client.list_consumer_group_offsets)
    assert "4" in str(listing("kp"))
    if hasattr(client, "delete_group_offsets"):
        client.delete_group_offsets("kp", [Place("u", 0)])
        after = str(listing("kp"))
        assert "topic='u'" not in after
    (client.delete_groups if hasattr(client, "delete_groups")
     else client.delete_consumer_groups)(["kp"])
    left = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions("kp")])["kp"].result(30)
    assert not [part for part in left.topic_partitions if part.offset >= 0]
    client.close()
