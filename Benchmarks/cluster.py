"""Three nodes on this machine beside one that stands alone: what copies cost a producer, how long
producing pauses when a leader is killed or asked to stop, and what 10,000 partitions cost at rest."""
import datetime
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import tempfile
import threading
import time

from harness import RESULTS, WEIR, Server, cpu_seconds, free_port, memory, spread, warm_memory

NODES = 3
TOPICS, PARTITIONS = 100, 100


class Node(Server):
    """One process of a cluster; started again over the same data and ports."""

    def __init__(self, number: int, addresses: list[str], parent: str):
        super().__init__("--node", str(number), "--cluster", ",".join(addresses), parent=parent)
        self.number = number

    def launch(self):
        command = [WEIR, "serve", "--data", self.data, "--kafka", self.kafka,
                   "--http", f"127.0.0.1:{self.http_port}", *self.settings]
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def log(self) -> str:
        with open(os.path.join(self.folder, "log"), errors="replace") as log:
            return log.read()

    def kill(self):
        self.process.kill()
        self.process.wait()


class Cluster:
    def __init__(self, count: int = NODES):
        self.folder = tempfile.mkdtemp(prefix="weir-bench-")
        addresses = [f"127.0.0.1:{free_port()}" for _ in range(count)]
        self.nodes = [Node(number + 1, addresses, self.folder) for number in range(count)]

    @property
    def kafka(self) -> str:
        return ",".join(node.kafka for node in self.nodes)

    def start(self):
        for node in self.nodes:
            node.launch()
        for node in self.nodes:
            node.wait_http()
        deadline = time.monotonic() + 60
        while len(self.metadata().brokers) != len(self.nodes):
            if time.monotonic() > deadline:
                raise RuntimeError("the nodes are no cluster after 60 s")
            time.sleep(0.05)

    def admin(self, node: Node | None = None):
        from confluent_kafka.admin import AdminClient
        return AdminClient({"bootstrap.servers": node.kafka if node else self.kafka, "log_level": 0})

    def metadata(self, topic: str | None = None):
        return self.admin().list_topics(topic, timeout=10)

    def wait_whole(self, topics: list[str], timeout: float = 300) -> float:
        """Until every partition has a leader and all its copies; seconds."""
        began, admin = time.monotonic(), self.admin()
        while True:
            found = admin.list_topics(timeout=60).topics
            if all(name in found and all(
                    partition.leader > 0 and len(partition.isrs) == len(partition.replicas)
                    for partition in found[name].partitions.values()) for name in topics):
                return time.monotonic() - began
            if time.monotonic() - began > timeout:
                raise RuntimeError(f"not all copies are in sync after {timeout} s")
            time.sleep(0.05 if len(topics) == 1 else 0.5)

    def cpu(self) -> float:
        return sum(node.cpu() for node in self.nodes)

    def remove(self):
        for node in self.nodes:
            node.remove()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()


def create(admin, topic: str, partitions: int, replicas: int, timeout: float = 60) -> int:
    """How often it was asked for: an answer is lost when the controller is lost meanwhile."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import NewTopic
    for attempt in range(1, 100):
        try:
            admin.create_topics([NewTopic(topic, partitions, replicas)], operation_timeout=timeout,
                                request_timeout=timeout)[topic].result(timeout)
            return attempt
        except KafkaException as error:
            if error.args[0].name() == "TOPIC_ALREADY_EXISTS" and attempt > 1:
                return attempt
            if not error.args[0].retriable() and error.args[0].code() >= 0:
                raise
            time.sleep(0.2)
    raise RuntimeError(f"{topic} could not be made")


# Producing

def throughput(kafka: str, cpu, topic: str, path: str) -> dict:
    """One kcat, as in `produce`; the CPU seconds of all nodes together."""
    from run import kcat_produce

    class Target:
        pass

    target = Target()
    target.kafka = kafka
    size = os.path.getsize(path)
    before = cpu()
    seconds = kcat_produce(target, topic, path)
    return {"mb_s": size / 1e6 / seconds, "records_s": size / 1024 / seconds,
            "cpu_s_per_gb": (cpu() - before) / size * 1e9}


def latency(server: Server, seconds: int, rate: int) -> dict:
    """`weir bench latency`, in a new topic of one partition with as many copies as is usual."""
    run = subprocess.run(
        [WEIR, "bench", "latency", "--server", server.kafka, "--rate", str(rate), "--seconds", str(seconds),
         "--no-raw", "-q", "-o", "json"], capture_output=True, text=True)
    if run.returncode:
        raise RuntimeError(f"weir bench latency: {run.stdout}{run.stderr}")
    results = json.loads(run.stdout)["results"]
    return {name: results[f"ack_{name}_ms"] for name in ("p50", "p99")}


def producing(options) -> dict:
    """One node and three, in turns, so that both see the same machine."""
    from run import record_file
    rates, times = {"one": [], "three": []}, {"one": [], "three": []}
    rate, seconds = 500, 10
    with tempfile.TemporaryDirectory() as folder, Server() as one, Cluster() as three:
        warm_memory(folder)
        path = record_file(folder, options.megabytes)
        one.start()
        three.start()
        alone = three.admin(one)
        for number in range(options.long_runs):
            topic = f"bench-{number}"
            create(alone, topic, 6, 1)
            create(three.admin(), topic, 6, 3)
            three.wait_whole([topic])
            rates["one"].append(throughput(one.kafka, one.cpu, topic, path))
            rates["three"].append(throughput(three.kafka, three.cpu, topic, path))
            three.wait_whole([topic])
            times["one"].append(latency(one, seconds, rate))
            times["three"].append(latency(three.nodes[0], seconds, rate))
        peaks = {"one": memory(one.pid)["peak_rss_mib"],
                 "three": [memory(node.pid)["peak_rss_mib"] for node in three.nodes]}
        size = os.path.getsize(path)
    result = {"records": "1 KiB, acks=all, 6 partitions, one librdkafka client, no compression",
              "megabytes": round(size / 1e6), "latency_rate": rate}
    for side in ("one", "three"):
        result[side] = {key: spread([run[key] for run in rates[side]]) for key in rates[side][0]}
        for key in ("p50", "p99"):
            result[side][f"ack_{key}_ms"] = spread([run[key] for run in times[side]])
        result[side]["peak_rss_mib"] = peaks[side]
    return result


# Pauses

class Stream:
    """Records to all partitions, steadily, and when each of them was acknowledged."""

    def __init__(self, cluster: Cluster, topic: str, partitions: int, rate: int = 600):
        from confluent_kafka import Producer
        self.topic, self.partitions, self.rate = topic, partitions, rate
        self.producer = Producer({
            "bootstrap.servers": cluster.kafka, "acks": "all", "enable.idempotence": True,
            "linger.ms": 1, "message.timeout.ms": 120000, "log_level": 0})
        self.last = [time.monotonic()] * partitions
        self.longest = [0.0] * partitions
        self.failures, self.acknowledged, self.ends = [], 0, False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def delivered(self, error, message):
        now, partition = time.monotonic(), message.partition()
        if error is not None:
            self.failures.append(str(error))
            return
        self.acknowledged += 1
        self.longest[partition] = max(self.longest[partition], now - self.last[partition])
        self.last[partition] = now

    def run(self):
        began, sent = time.monotonic(), 0
        while not self.ends:
            due = int((time.monotonic() - began) * self.rate)
            while sent < due:
                self.producer.produce(self.topic, b"%d" % sent, partition=sent % self.partitions,
                                      on_delivery=self.delivered)
                sent += 1
            self.producer.poll(0.001)

    def begin(self):
        self.longest = [0.0] * self.partitions

    def wait_for(self, partitions: list[int], since: float, timeout: float = 60):
        """Until each of them acknowledged something that was sent after `since`."""
        deadline = time.monotonic() + timeout
        while any(self.last[partition] < since for partition in partitions):
            if time.monotonic() > deadline:
                raise RuntimeError(f"no acknowledgement for {timeout} s")
            time.sleep(0.005)

    def end(self):
        self.ends = True
        self.thread.join()
        if self.producer.flush(60) or self.failures:
            raise RuntimeError(f"records were not taken: {self.failures[:3]}")


def new_leaders(cluster: Cluster, gone: Node, topic: str, partitions: list[int],
                since: float, found: list) -> None:
    """Notes the seconds until another node names other leaders."""
    admin = cluster.admin(next(node for node in cluster.nodes if node is not gone))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            now = admin.list_topics(topic, timeout=1).topics[topic].partitions
            if all(now[partition].leader not in (gone.number, -1) for partition in partitions):
                found.append(time.monotonic() - since)
                return
        except Exception:
            pass
        time.sleep(0.005)


def pause_round(cluster: Cluster, stream: Stream, stop: bool, wants_controller: bool) -> dict:
    cluster.wait_whole([stream.topic])
    time.sleep(1)
    found = cluster.metadata(stream.topic)
    controller, partitions = found.controller_id, found.topics[stream.topic].partitions
    leading = {}
    for number, partition in partitions.items():
        leading.setdefault(partition.leader, []).append(number)
    chosen = [node for node in leading if (node == controller) == wants_controller]
    number = random.choice(chosen or list(leading))
    node, own = cluster.nodes[number - 1], leading[number]
    stream.begin()
    named: list[float] = []
    began = time.monotonic()
    if stop:
        node.process.send_signal(signal.SIGTERM)
    else:
        node.process.kill()
    watch = threading.Thread(
        target=new_leaders, args=(cluster, node, stream.topic, own, began, named))
    watch.start()
    node.process.wait(60)
    ended = time.monotonic() - began
    watch.join()
    stream.wait_for(own, time.monotonic() + 0.2)
    pause = max(stream.longest[partition] for partition in own)
    others = [stream.longest[partition] for partition in partitions if partition not in own]
    node.launch()
    node.wait_http()
    return {"controller": number == controller, "pause_ms": pause * 1000,
            "leader_ms": named[0] * 1000 if named else None, "process_ended_ms": ended * 1000,
            "others_ms": max(others, default=0) * 1000}


def summary(rounds: list[dict]) -> dict:
    """Of the partitions that the node led: the pause of the client, and how long until another leader
    was named."""
    if not rounds:
        return {"rounds": 0}
    result = {"rounds": len(rounds)}
    for key in ("pause_ms", "leader_ms", "others_ms"):
        values = sorted(each[key] for each in rounds if each[key] is not None)
        result[key] = {"median": round(statistics.median(values)), "min": round(values[0]),
                       "p90": round(values[int(len(values) * 0.9) - 1]), "max": round(values[-1])}
    return result


def pauses(options) -> dict:
    """Default settings of the nodes and of the client."""
    result, rounds = {}, options.rounds
    with Cluster() as cluster:
        cluster.start()
        create(cluster.admin(), "pauses", 6, 3)
        stream = Stream(cluster, "pauses", 6)
        try:
            for name, stop in (("kill", False), ("stop", True)):
                all_rounds = []
                for number in range(rounds):
                    all_rounds.append(pause_round(cluster, stream, stop, number % 2 == 0))
                    print(name, number, all_rounds[-1], flush=True)
                result[name] = {
                    "all": summary(all_rounds),
                    "controller": summary([each for each in all_rounds if each["controller"]]),
                    "other": summary([each for each in all_rounds if not each["controller"]])}
                result[name]["process_ended_ms"] = round(
                    statistics.median(each["process_ended_ms"] for each in all_rounds))
                result[name]["pauses_ms"] = [round(each["pause_ms"]) for each in all_rounds]
        finally:
            stream.ends = True
        stream.end()
        result["acknowledged"] = stream.acknowledged
    return result


# Many partitions

def rest(processes: list[int], seconds: float = 30) -> list[dict]:
    before = [cpu_seconds(pid) for pid in processes]
    time.sleep(seconds)
    return [{**memory(pid), "cpu_percent": round((cpu_seconds(pid) - start) / seconds * 100, 2)}
            for pid, start in zip(processes, before)]


def many(options) -> dict:
    """10,000 partitions × 3 copies on three nodes, idle; beside 10,000 on one."""
    result = {"topics": TOPICS, "partitions": TOPICS * PARTITIONS}
    topics = [f"many-{number}" for number in range(TOPICS)]
    with Cluster() as cluster:
        cluster.start()
        time.sleep(5)
        pids = [node.pid for node in cluster.nodes]
        result["three_empty"] = rest(pids, 10)
        admin, before, began = cluster.admin(), cluster.cpu(), time.monotonic()
        attempts = [create(admin, topic, PARTITIONS, 3, 300) for topic in topics]
        result["three_repeated_requests"] = sum(attempts) - len(topics)
        result["three_controllers_elected"] = sum(
            node.log().count("this node is the controller") for node in cluster.nodes)
        result["three_created_s"] = round(time.monotonic() - began, 2)
        cluster.wait_whole(topics)
        result["three_in_sync_s"] = round(time.monotonic() - began, 2)
        result["three_creating_cpu_s"] = round(cluster.cpu() - before, 2)
        time.sleep(15)
        result["three"] = rest(pids)
        result["three_disk_mb"] = [round(folder_size(node.data) / 1e6, 1) for node in cluster.nodes]
        restart(cluster, topics, result)
        if options.hold:
            print("idle, with", TOPICS * PARTITIONS, "partitions:", pids, flush=True)
            time.sleep(options.hold)
    with Server() as one:
        one.start()
        began, admin = time.monotonic(), Cluster.admin(one, one)
        for topic in topics:
            create(admin, topic, PARTITIONS, 1, 300)
        result["one_created_s"] = round(time.monotonic() - began, 2)
        time.sleep(15)
        result["one"] = rest([one.pid])[0]
        result["one_disk_mb"] = round(folder_size(one.data) / 1e6, 1)
    return result


def restart(cluster: Cluster, topics: list[str], result: dict) -> None:
    """kill -9 of one of them, and how long until all its copies are in sync again."""
    node = cluster.nodes[0]
    node.kill()
    time.sleep(12)
    began = time.monotonic()
    node.launch()
    node.wait_http()
    result["one_of_three_ready_again_s"] = round(time.monotonic() - began, 2)
    cluster.wait_whole(topics)
    result["one_of_three_in_sync_again_s"] = round(time.monotonic() - began, 2)
    result["one_of_three_again"] = memory(node.pid)


def folder_size(path: str) -> int:
    """Bytes on the disk."""
    return int(subprocess.run(["du", "-s", "--block-size=1", path],
                              capture_output=True, text=True).stdout.split()[0])


PARTS = {"producing": producing, "pauses": pauses, "many": many}


def cluster(options) -> dict:
    """Three nodes on this machine beside one: producing, pauses, 10,000 partitions."""
    result = {}
    for name in (options.parts.split(",") if options.parts else PARTS):
        result[name] = PARTS[name](options)
    picture(result)
    return result


def picture(result: dict) -> None:
    """Pauses of each round as bars, kills above stops."""
    if "pauses" not in result:
        return
    parts, top = [], 56
    values = [value for name in ("kill", "stop") for value in result["pauses"][name]["pauses_ms"]]
    most = max(values)
    for name, color in (("kill", "#c92a2a"), ("stop", "#0b7285")):
        parts.append(f'<text x="8" y="{top + 12}">{name}</text>')
        for value in result["pauses"][name]["pauses_ms"]:
            width = max(1, value / most * 540)
            parts.append(f'<rect x="60" y="{top}" width="{width:.1f}" height="9" fill="{color}"/>'
                         f'<text x="{64 + width:.1f}" y="{top + 8}" class="small">{value}</text>')
            top += 10
        top += 10
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{datetime.date.today().isoformat()}-cluster.svg"
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="680" height="{top + 10}" font-family="sans-serif" '
        f'font-size="13"><style>.small{{font-size:9px}}</style><rect width="100%" height="100%" fill="white"/>'
        f'<text x="8" y="20">Pause of producing in ms: kill -9 of a leader, and a controlled stop of one</text>'
        f'<text x="8" y="38" class="small">{NODES} nodes, acks=all, librdkafka with its defaults, one bar a round'
        f'</text>{"".join(parts)}</svg>\n')
