"""The logs of all replicas, read from their files and compared byte for byte. Nodes have to be stopped in a
controlled way before: then everything is in the segments and nothing in the journal alone."""
import hashlib
import pathlib
import struct

from ledger import Ledger

# docs/formats/segments.md: base offset, length, leader epoch, magic, CRC, attributes, last offset delta.
HEADER = struct.Struct(">qiibIhi")


def batches(folder: pathlib.Path) -> list[tuple[int, int, int, bytes]]:
    """(first offset, last offset, leader epoch, digest) of each batch."""
    found = []
    for path in sorted(folder.glob("*.log")):
        data = path.read_bytes()
        place = 0
        while place + HEADER.size <= len(data):
            base, length, epoch, magic, _, _, delta = HEADER.unpack_from(data, place)
            if length <= 0 or magic != 2 or place + 12 + length > len(data):
                break
            found.append((base, base + delta, epoch, hashlib.sha1(data[place:place + 12 + length]).digest()))
            place += 12 + length
    return found


def compare(homes: list[pathlib.Path], topics: dict[str, int], ledger: Ledger) -> int:
    """Tells of every partition whose replicas differ; the number of batches that are alike."""
    alike = 0
    for topic, count in topics.items():
        for number in range(count):
            logs = [batches(home / f"{topic}-{number}") for home in homes]
            for node, log in enumerate(logs[1:], 2):
                if log == logs[0]:
                    continue
                place = next((i for i, (a, b) in enumerate(zip(logs[0], log)) if a != b), min(len(logs[0]), len(log)))
                ledger.anomaly("replicas differ", f"{topic}-{number}: from batch {place} on, node 1 has "
                               f"{describe(logs[0], place)}, node {node} has {describe(log, place)}")
            alike += len(logs[0])
    return alike


def describe(log: list, place: int) -> str:
    if place >= len(log):
        return f"nothing (it ends at offset {log[-1][1] if log else -1})"
    base, last, epoch, digest = log[place]
    return f"offsets {base} to {last}, epoch {epoch}, {digest.hex()[:12]}"
