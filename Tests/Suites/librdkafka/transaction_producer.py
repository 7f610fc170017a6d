"""Stands in for the Java program that librdkafka's test 0098 runs: a producer that obeys words.

    transaction_producer.py HOST:PORT topic,NAME testid,ID COMMAND…

A command is `producerN, PARTITION, FIRST KEY, COUNT, TYPE, FLUSH`: COUNT records whose keys are the
bytes from FIRST KEY on, partition -1 = any; TYPE is None (not transactional) or Begin/Continue followed by
Commit, Abort or Open; FLUSH is DoFlush or DontFlush. Also `sleep,MILLISECONDS` and `exit,CODE`.
"""
import re
import sys
import time

from kafka import KafkaProducer

PAYLOAD = bytes([0x10, 0x20, 0x30, 0x40])


def main(server: str, *commands: str) -> None:
    producers: dict[str, KafkaProducer] = {}
    topic = test = ""
    for command in commands:
        verb, *rest = [word.strip() for word in command.split(",")]
        if verb == "topic":
            topic = rest[0]
        elif verb == "testid":
            test = rest[0]
        elif verb == "sleep":
            time.sleep(int(rest[0], 0) / 1000)
        elif verb == "exit":
            sys.exit(int(rest[0], 0))
        elif re.fullmatch(r"producer\d+", verb):
            partition, first, count = (int(word, 0) for word in rest[:3])
            kind, flush = rest[3:]
            if verb not in producers:
                producers[verb] = new_producer(server, test, verb, kind != "None")
            send(producers[verb], topic, partition, first, count, kind, flush)
        else:
            sys.exit(f"unknown command: {command}")
    for producer in producers.values():
        producer.close()


def new_producer(server: str, test: str, name: str, transactional: bool) -> KafkaProducer:
    more = {"transactional_id": f"test-transactional-id-{test}-{name}"} if transactional else {}
    producer = KafkaProducer(bootstrap_servers=server, client_id=name, enable_idempotence=True,
                             linger_ms=5, **more)
    if transactional:
        producer.init_transactions()
    return producer


def send(producer: KafkaProducer, topic: str, partition: int, first: int, count: int, kind: str,
         flush: str) -> None:
    if kind.startswith("Begin"):
        producer.begin_transaction()
    for number in range(first, first + count):
        producer.send(topic, key=bytes([number & 0xFF]), value=PAYLOAD,
                      partition=None if partition == -1 else partition)
    if flush == "DoFlush":
        producer.flush()
    if kind.endswith("Commit"):
        producer.commit_transaction()
    elif kind.endswith("Abort"):
        producer.abort_transaction()


main(*sys.argv[1:])
