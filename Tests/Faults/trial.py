"""What every trial has: a cluster, clients, a ledger, a line of progress, and the verdict at the end."""
import json
import os
import pathlib
import shutil
import sys
import tempfile
import threading
import time

from confluent_kafka import ElectionType, KafkaException, TopicPartition

import segments
from clients import GROUP_TOPICS, TOPICS, Clients, read_log
from ledger import Ledger
from metadata import Probe
from nodes import PATIENCE, WEIR, Cluster, Node, Stuck, eventually
from proxy import Proxy


class Enough(Exception):
    """An anomaly after which going on would only tell it again."""


class Trial:
    """Subclasses say what is done to the cluster, in `trouble`."""

    def __init__(self, seed: int, folder: pathlib.Path, rate: float, quiet: bool, proxy: Proxy | None = None, data=None):
        self.seed, self.folder, self.quiet, self.proxy = seed, folder, quiet, proxy
        self.ledger = Ledger()
        self.cluster = Cluster(folder, proxy, data)
        self.clients = Clients(self.cluster, self.ledger, seed, rate)
        self.stage = "starting"
        self.last_fault = ""
        self.fault_count = 0
        self.log = open(folder / "faults.log", "a", buffering=1)
        self.probes = [Probe(node) for node in self.cluster.nodes]
        self.is_over = False
        self.alike = 0
        self.repairs = 0

    def go(self) -> bool:
        """True if everything that was promised was kept."""
        for thread in [threading.Thread(target=self.watch, daemon=True), *self.probes]:
            thread.start()
        try:
            self.work()
        except Enough:
            pass
        except Stuck as stuck:
            self.ledger.anomaly("stuck", f"while {self.stage}: {stuck}")
        except KafkaException as failure:
            self.ledger.anomaly("refused", f"while {self.stage}: {failure}")
        finally:
            self.is_over = True
            for probe in self.probes:
                probe.ends = True
            self.cluster.end()
        return not self.ledger.anomalies

    def work(self):
        self.cluster.start()
        admin = self.cluster.admin()
        self.clients.create_topics()
        self.cluster.wait_until_in_sync(admin, PATIENCE)
        self.clients.start()
        self.stage = "running"
        self.trouble(admin)
        self.stage = "healing"
        self.cluster.wait_until_ready(PATIENCE)
        before = self.ledger.acknowledged
        eventually(lambda: self.ledger.acknowledged > before + 50, PATIENCE, "records are acknowledged after the last fault")
        self.stage = "ending the writers"
        self.clients.stop_writing()
        self.stage = "ending the mover"
        self.clients.stop_moving(PATIENCE)
        self.stage = "waiting for the replicas"
        self.cluster.wait_until_in_sync(admin, PATIENCE)
        self.settle(admin)
        self.verify(admin)

    def trouble(self, admin):
        raise NotImplementedError

    def settle(self, admin):
        pass

    def tell(self, text: str):
        """Of a fault: into the ledger, the file and the line of progress."""
        self.last_fault = text
        self.ledger.fault(text)
        now = time.time()
        self.log.write(f"{now - self.ledger.began:8.3f} {self.ledger.clock(now)} {text}\n")

    # MARK: The verdict

    def verify(self, admin):
        self.stage = "reading everything"
        log = read_log(self.cluster, self.ledger, "the end", committed=False)
        self.ledger.check_log(log)
        committed = read_log(self.cluster, self.ledger, "the committed end", committed=True)
        self.ledger.check_committed(committed)
        self.ledger.check_moved("once", "moved", committed)
        self.stage = "waiting for the readers"
        self.clients.wait_for_readers(committed, PATIENCE)
        self.clients.stop_reading()
        for follower in self.clients.followers:
            self.ledger.check_reader(follower.name, follower.read, committed if follower.committed else log)
        self.ledger.check_group(GROUP_TOPICS, self.clients.committed_offsets())
        self.read_from_all(admin, log)
        self.stage = "comparing the replicas"
        for node in self.cluster.nodes:
            self.stop(node)
        self.alike = segments.compare([node.data for node in self.cluster.nodes], TOPICS, self.ledger)

    def read_from_all(self, admin, log):
        """The same from other leaders: those that were first chosen, then without each of the nodes."""
        self.stage = "reading from the first replicas"
        wanted = [TopicPartition(topic, number) for topic, count in TOPICS.items() for number in range(count)]
        admin = self.cluster.admin()
        admin.elect_leaders(ElectionType.PREFERRED, wanted).result(30)
        self.compare(log, "the first replicas")
        for node in self.cluster.nodes:
            self.stage = f"reading without node {node.number}"
            self.stop(node)
            self.compare(log, f"the cluster without node {node.number}")
            node.launch()
            self.cluster.wait_until_ready(PATIENCE)
            self.cluster.wait_until_in_sync(admin, PATIENCE)

    def compare(self, log, reader: str):
        again = read_log(self.cluster, self.ledger, reader, committed=False)
        for place, records in log.items():
            if again[place] != records:
                gone = sorted(records.keys() ^ again[place].keys())
                self.ledger.anomaly("another leader, another log", f"{place[0]}-{place[1]} read from {reader}: "
                                    f"{len(again[place])} records, not {len(records)}; offsets {gone[:5]}")

    def stop(self, node: Node):
        if node.stop():
            self.ledger.anomaly("stop failed", f"node {node.number} did not end with 0:\n{node.log_tail()}")

    # MARK: Beside it

    def watch(self):
        """Nodes that end by themselves, and a line of progress."""
        began = time.monotonic()
        said = 0.0
        while not self.is_over:
            for node in self.cluster.ended_by_itself():
                self.ledger.anomaly("node ended by itself", f"node {node.number} ended with {node.process.returncode} "
                                    f"while {self.stage}:\n{node.log_tail()}")
                node.is_wanted = False
            elapsed = time.monotonic() - began
            if not self.quiet and (sys.stderr.isatty() or elapsed > said + 30):
                said = elapsed
                self.show_progress(elapsed)
            time.sleep(0.5)
        if not self.quiet and sys.stderr.isatty():
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)

    def show_progress(self, elapsed: float):
        line = (f"{elapsed:6.0f} s  {self.stage}: {self.ledger.acknowledged:,} acknowledged, {self.fault_count} faults, "
                f"{sum(self.ledger.kinds.values())} anomalies  {self.last_fault}")
        if sys.stderr.isatty():
            line = f"\r\x1b[2K{line[:shutil.get_terminal_size().columns - 1]}"
            print(line, end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)

    def report(self) -> dict:
        errors: dict[str, int] = {}
        for client in self.clients.all:
            for name, count in client.errors.items():
                errors[name] = errors.get(name, 0) + count
        left_behind = {f"{client.name} while {doing}": count for client in self.clients.all
                       for doing, count in client.left_behind.items()}
        return {"seed": self.seed, **self.ledger.totals(), "faults": {}, "repairs": self.repairs,
                "batches_alike_on_all_replicas": self.alike, "client_errors": errors, "clients_left_behind": left_behind,
                "metadata_answers": sum(probe.answers for probe in self.probes),
                "metadata_answers_without_nodes": sum(probe.empty for probe in self.probes),
                "metadata_answers_without_the_node": sum(probe.without_itself for probe in self.probes),
                "anomalies": dict(self.ledger.kinds), "stories": self.ledger.anomalies, "folder": str(self.folder)}


def new_folder(prefix: str) -> pathlib.Path:
    if not os.path.exists(WEIR):
        sys.exit(f"{WEIR} does not exist: run `make release` first, or set WEIR")
    return pathlib.Path(tempfile.mkdtemp(prefix=prefix))


def show(report: dict):
    transactions = report["transactions"]
    print(f"seed {report['seed']}: {report['acknowledged']:,} of {report['sent']:,} records acknowledged, transactions: "
          f"{transactions['committed']:,} committed, {transactions['aborted']:,} aborted, "
          f"{transactions['unknown']:,} unknown")
    print(f"reads: {', '.join(f'{name} {count:,}' for name, count in sorted(report['reads'].items()))}")
    print(f"faults: {', '.join(f'{name} {count}' for name, count in sorted(report['faults'].items())) or 'none'}; "
          f"{report['repairs']} repairs; longest pause of acknowledgements {report['longest_pause_seconds']} s")
    print(f"{report['metadata_answers_without_nodes']:,} of {report['metadata_answers']:,} answers to questions for the nodes "
          f"named none, {report['metadata_answers_without_the_node']:,} left the one out that gave them")
    if report["clients_left_behind"]:
        print(f"deaf clients that were left behind: {report['clients_left_behind']}")
    print(f"{report['batches_alike_on_all_replicas']:,} batches are byte for byte the same on all replicas")
    for story in report["stories"]:
        print(f"\nANOMALY {story['kind']} (found at {story['at']})\n  {story['story']}\n  faults around its acknowledgement, or before it was found:")
        for line in story["faults"]:
            print(f"    {line}")
    total = sum(report["anomalies"].values())
    print(f"{total} anomalies" + (f": {report['anomalies']}; everything is in {report['folder']}" if total else ""))


def conclude(trial: Trial, ok: bool, output: str, keep: bool):
    """Says what was found and ends the program, without waiting for threads of clients that hang."""
    report = trial.report()
    (trial.folder / "report.json").write_text(json.dumps(report, indent=1))
    if ok and not keep:
        shutil.rmtree(trial.folder)
        report["folder"] = None
    if output == "json":
        print(json.dumps(report))
    else:
        show(report)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if ok else 1)
