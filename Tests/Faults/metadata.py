"""Asks each node, again and again, which nodes there are, as a client does in its first request.

An answer without any node is worse than none: librdkafka then throws all its brokers away, and with
`metadata.recovery.strategy=none` it never asks anybody again."""
import socket
import struct
import threading
import time

from nodes import Node

# Metadata, version 1, correlation 7, client "probe", no topics.
REQUEST = struct.pack(">hhih5si", 3, 1, 7, 5, b"probe", 0)
INTERVAL = 0.05


def listed(port: int, timeout: float) -> list[int] | None:
    """The nodes that one of them lists; None while it does not answer."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout) as connection:
            connection.sendall(struct.pack(">i", len(REQUEST)) + REQUEST)
            head = read(connection, 4)
            body = read(connection, struct.unpack(">i", head)[0])
    except (OSError, EOFError):
        return None
    found, place = [], 8
    for _ in range(struct.unpack_from(">i", body, 4)[0]):
        node, host = struct.unpack_from(">ih", body, place)
        place += 6 + host + 4
        rack = struct.unpack_from(">h", body, place)[0]
        place += 2 + max(rack, 0)
        found.append(node)
    return found


def read(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


class Probe(threading.Thread):
    """Past the proxy: what a node says, not what arrives. Counted and reported, not yet an anomaly: a node that has just
    started answers so until the controller has unfenced it."""

    def __init__(self, node: Node):
        super().__init__(daemon=True, name=f"probe of node {node.number}")
        self.node = node
        self.ends = False
        self.answers = self.empty = self.without_itself = 0

    def run(self):
        while not self.ends:
            found = listed(self.node.kafka_port, 1)
            if found is not None:
                self.answers += 1
                self.empty += not found
                self.without_itself += self.node.number not in found
            time.sleep(INTERVAL)
