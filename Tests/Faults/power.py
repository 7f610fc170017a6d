"""The power fails under load, on the file systems that servers have: is what was acknowledged there afterwards?

    make power-cut ROUNDS=50 SEED=1

Each node's data directory is an ext4 of its own on a loop device. A power cut is ext4's own shutdown without a
flush of its journal: from that moment nothing is written any more, and whatever was not synced is gone when it is
mounted again. The process lives on for a moment, with errors at every call, and must not acknowledge anything
that is not there later. Then it is killed, the file system is mounted again, which replays the journal of ext4, and
the node starts. `kill -9` alone can't show that: what a killed process wrote stays in the system's memory.

Needs root, for mounts and loop devices. What an earlier run left of them is cleaned up at the start.
"""
import argparse
import atexit
import fcntl
import os
import pathlib
import random
import signal
import struct
import subprocess
import sys
import time
from collections import Counter

import nodes
from clients import TOPICS, read_log
from nodes import COUNT, PATIENCE, Node, Stuck, eventually
from trial import Enough, Trial, conclude, new_folder

PREFIX = "weir-power-"
IMAGE_BYTES = 512 << 20
# linux/fs/ext4/ioctl.c: _IOR('X', 125, __u32); 2 = EXT4_GOING_FLAGS_NOLOGFLUSH.
EXT4_IOC_SHUTDOWN = (2 << 30) | (4 << 16) | (ord("X") << 8) | 125
NO_LOG_FLUSH = struct.pack("I", 2)
# Read again before what is new, each round.
OVERLAP = 200
SAMPLE = 300


def run(*words: str, check: bool = True) -> subprocess.CompletedProcess:
    done = subprocess.run(words, capture_output=True, text=True)
    if check and done.returncode:
        sys.exit(f"{' '.join(words)}: {done.stderr.strip() or done.returncode}")
    return done


class Disk:
    """An ext4 in a file, whose power can be cut."""

    def __init__(self, folder: pathlib.Path, name: str):
        self.image, self.place = folder / f"{name}.ext4", folder / name
        self.place.mkdir()
        with open(self.image, "wb") as file:
            file.truncate(IMAGE_BYTES)
        run("mkfs.ext4", "-q", "-F", str(self.image))
        self.is_mounted = False
        self.mount()

    def mount(self):
        # The loop device goes with the mount.
        run("mount", "-t", "ext4", "-o", "loop", str(self.image), str(self.place))
        self.is_mounted = True

    def cut(self):
        place = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(place, EXT4_IOC_SHUTDOWN, NO_LOG_FLUSH)
        finally:
            os.close(place)

    def unmount(self):
        """When whoever used it is gone; the kernel may need a moment to notice."""
        deadline = time.monotonic() + 20
        while self.is_mounted:
            done = run("umount", str(self.place), check=False)
            if done.returncode == 0:
                self.is_mounted = False
            elif time.monotonic() > deadline:
                raise Stuck(f"{self.place} can't be unmounted: {done.stderr.strip()}")
            else:
                time.sleep(0.05)

    def restore_power(self):
        self.unmount()
        self.mount()


def clean_up_leftovers():
    """Mounts and loop devices of runs that are no more."""
    def is_left(path: str) -> bool:
        part = next((part for part in pathlib.Path(path).parts if part.startswith(PREFIX)), None)
        owner = part.removeprefix(PREFIX).split("-")[0] if part else ""
        return owner.isdigit() and not os.path.exists(f"/proc/{owner}")

    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        place = line.split()[1]
        if is_left(place):
            run("umount", "-l", place, check=False)
    for line in run("losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE", check=False).stdout.splitlines():
        device, _, image = line.partition(" ")
        if is_left(image.strip()):
            run("losetup", "-d", device, check=False)


def prove_that_it_forgets(disk: Disk):
    """A test that can't fail shows nothing: what was not synced has to be gone, what was has to be there."""
    synced, overwritten, unsynced = (disk.place / name for name in ("synced", "overwritten", "unsynced"))
    for path in (synced, overwritten):
        with open(path, "wb") as file:
            file.write(b"a" * 8192)
            file.flush()
            os.fsync(file.fileno())
    folder = os.open(disk.place, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
    with open(overwritten, "r+b") as file:
        file.write(b"b" * 8192)
    unsynced.write_bytes(b"c" * 8192)
    assert overwritten.read_bytes() == b"b" * 8192 and unsynced.read_bytes() == b"c" * 8192
    disk.cut()
    try:
        with open(synced, "ab") as file:
            file.write(b"d")
            file.flush()
            os.fsync(file.fileno())
        sys.exit("the file system takes a sync after its power was cut")
    except OSError:
        pass
    disk.restore_power()
    if not synced.exists() or synced.read_bytes() != b"a" * 8192:
        sys.exit("the file system lost what was synced: it can't judge anybody")
    if unsynced.exists() and unsynced.read_bytes() == b"c" * 8192:
        sys.exit("the file system keeps what was not synced: a power cut here would show nothing")
    if overwritten.read_bytes() != b"a" * 8192:
        sys.exit("the file system keeps what was overwritten and not synced")
    for path in disk.place.iterdir():
        if path.is_file():
            path.unlink()


def library_without_sync(folder: pathlib.Path) -> str:
    """What a node would be that acknowledges and forgets to sync."""
    source, library = folder / "nosync.c", folder / "nosync.so"
    source.write_text("int fsync(int f) { return 0; } int fdatasync(int f) { return 0; } "
                      "int sync_file_range(int f, long a, long b, unsigned c) { return 0; }\n")
    run("cc", "-shared", "-fPIC", "-o", str(library), str(source))
    return str(library)


class PowerRun(Trial):
    def __init__(self, rounds: int, seed: int, rate: float, quiet: bool):
        folder = new_folder(f"{PREFIX}{os.getpid()}-")
        self.disks = [Disk(folder, f"disk{number}") for number in range(1, COUNT + 1)]
        atexit.register(self.clean_up)
        for disk in self.disks:
            prove_that_it_forgets(disk)
        super().__init__(seed, folder, rate, quiet, data=lambda number: self.disks[number - 1].place / "data")
        self.rounds = rounds
        self.random = random.Random(f"{seed}/power")
        self.counts: Counter = Counter()
        # Up to where each partition has been read and checked.
        self.checked = {(topic, number): 0 for topic, count in TOPICS.items() for number in range(count)}
        self.sampled = 0

    def clean_up(self):
        self.cluster.end() if hasattr(self, "cluster") else None
        for disk in self.disks:
            if disk.is_mounted:
                run("umount", "-l", str(disk.place), check=False)

    def trouble(self, admin):
        for number in range(1, self.rounds + 1):
            self.stage = f"round {number} of {self.rounds}"
            time.sleep(self.random.uniform(0.3, 3))
            # With copies only the loss of what is synced nowhere takes records back.
            count = 3 if nodes.ENVIRONMENT else self.random.choices([3, 2, 1], [6, 2, 2])[0]
            victims = self.random.sample(self.cluster.nodes, count)
            self.cut(victims)
            again = victims
            while self.random.random() < 0.3:
                # The power fails again while what it left is read.
                time.sleep(self.random.choice([self.random.uniform(0, 0.1), self.random.uniform(0, 1.5)]))
                again = self.random.sample(victims, self.random.randint(1, len(victims)))
                self.counts["cuts during recovery"] += 1
                self.cut(again)
            self.cluster.wait_until_ready(PATIENCE)
            self.cluster.wait_until_in_sync(admin, PATIENCE)
            before = self.ledger.acknowledged
            eventually(lambda: self.ledger.acknowledged > before, PATIENCE, "a record is acknowledged after the cut")
            self.check(number)
            if self.ledger.anomalies:
                raise Enough

    def cut(self, victims: list[Node]):
        self.counts[f"cuts of {len(victims)}"] += 1
        self.fault_count += 1
        for node in victims:
            node.is_wanted = False
        for node in victims:
            self.tell(f"power cut of node {node.number}")
            self.disks[node.number - 1].cut()
            time.sleep(self.random.choice([0, self.random.uniform(0, 0.005)]))
        # What the processes do with a disk that refuses everything.
        time.sleep(self.random.choice([0, self.random.uniform(0, 1)]))
        for node in victims:
            self.counts["processes that had ended" if not node.is_running() else "processes that were killed"] += 1
            node.kill()
            self.tell(f"node {node.number} is dead")
        for node in self.random.sample(victims, len(victims)):
            self.disks[node.number - 1].restore_power()
            node.launch()
            self.tell(f"node {node.number} is started")
            time.sleep(self.random.choice([0, self.random.uniform(0, 0.5)]))

    def check(self, number: int):
        """What is new, and samples of what is old."""
        until = time.time()
        starts = {place: max(0, end - OVERLAP) for place, end in self.checked.items()}
        log = read_log(self.cluster, self.ledger, f"the check of round {number}", committed=False, starts=starts)
        self.ledger.check_log(log, {place: (start, sys.maxsize) for place, start in starts.items()}, until)
        self.checked = {place: max(records, default=self.checked[place] - 1) + 1 for place, records in log.items()}
        starts = {place: self.random.randrange(max(1, end - SAMPLE)) for place, end in self.checked.items() if end}
        old = read_log(self.cluster, self.ledger, f"the samples of round {number}", committed=False, starts=starts,
                       limit=SAMPLE)
        self.ledger.check_log(old, {place: (starts[place], max(records)) for place, records in old.items() if records},
                              until)
        self.sampled += sum(len(records) for records in old.values())

    def report(self) -> dict:
        return {**super().report(), "rounds": self.rounds, "faults": dict(self.counts), "sampled": self.sampled}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=300, help="records a second of each plain producer")
    parser.add_argument("--without-sync", action="store_true", help="the nodes' syncs do nothing: has to end with lost "
                        "records, else this program could not find any")
    parser.add_argument("-o", "--output", choices=["text", "json"], default="text")
    parser.add_argument("--keep", action="store_true", help="keep the folder of a run that found nothing, too")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("power cuts need root: they mount file systems")
    clean_up_leftovers()
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, lambda *_: sys.exit(1))
    trial = PowerRun(options.rounds, options.seed, options.rate, quiet=options.output == "json")
    if options.without_sync:
        nodes.ENVIRONMENT["LD_PRELOAD"] = library_without_sync(trial.folder)
    ok = trial.go()
    if not ok or options.keep:
        # A copy of what the disks hold: the mounts go.
        for disk in trial.disks:
            run("cp", "-a", str(disk.place), str(trial.folder / f"{disk.place.name}-files"), check=False)
    trial.clean_up()
    conclude(trial, ok, options.output, options.keep)


if __name__ == "__main__":
    main()
