"""Three real nodes, real clients and a seeded nemesis: is what was acknowledged there, once, in order, at its offset?

    make faults MINUTES=30 SEED=1

Exit code 1 is an anomaly; then the folder with logs, data and the row of faults is kept. A seed stands for one row
of faults, not for one row of events: processes, clients and the network have no common clock.
"""
import argparse
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
from clients import TOPICS, Clients, read_log
from ledger import Ledger
from nemesis import Nemesis
from nodes import WEIR, Cluster, Stuck, eventually
from proxy import Proxy


class Run:
    def __init__(self, seconds: float, seed: int, folder: pathlib.Path, rate: float, quiet: bool):
        self.seconds, self.seed, self.folder, self.quiet = seconds, seed, folder, quiet
        self.ledger = Ledger()
        self.proxy = Proxy(seed)
        self.cluster = Cluster(folder, self.proxy)
        self.clients = Clients(self.cluster, self.ledger, seed, rate)
        self.nemesis: Nemesis | None = None
        self.stage = "starting"
        self.is_over = False
        self.alike = 0
        self.repairs = 0

    def go(self) -> bool:
        threading.Thread(target=self.watch, daemon=True).start()
        self.proxy.start()
        try:
            self.work()
        except Stuck as stuck:
            self.ledger.anomaly("stuck", f"while {self.stage}: {stuck}")
        except KafkaException as failure:
            self.ledger.anomaly("refused", f"while {self.stage}: {failure}")
        finally:
            self.is_over = True
            self.cluster.end()
            self.proxy.stop()
        return not self.ledger.anomalies

    def work(self):
        self.cluster.start()
        admin = self.cluster.admin()
        self.clients.create_topics()
        self.cluster.wait_until_in_sync(admin, 60)
        self.clients.start()
        self.stage = "running"
        self.nemesis = Nemesis(self.cluster, self.ledger, self.seed, self.folder / "faults.log")
        self.nemesis.start()
        time.sleep(self.seconds)
        self.nemesis.ends.set()
        self.stage = "healing"
        self.nemesis.join()
        self.cluster.wait_until_ready(60)
        before = self.ledger.acknowledged
        eventually(lambda: self.ledger.acknowledged > before + 50, 60, "records are acknowledged after the last fault")
        self.stage = "ending the writers"
        self.clients.stop_writing()
        self.settle(admin)
        self.verify(admin)

    def settle(self, admin):
        """All replicas in sync, and every damage noticed and repaired."""
        self.stage = "waiting for the replicas"
        self.cluster.wait_until_in_sync(admin, 90)
        if self.nemesis.counts["damage"]:
            self.stage = "waiting for the scrubbers"
            rounds = {node.number: node.metric("weir_scrub_rounds_total") or 0 for node in self.cluster.nodes}
            # One may be under way that has passed the damage already.
            for node in self.cluster.nodes:
                eventually(lambda: (node.metric("weir_scrub_rounds_total") or 0) >= rounds[node.number] + 2, 120,
                           f"node {node.number} checks all closed segments")
            self.cluster.wait_until_in_sync(admin, 90)
        self.repairs = sum((node.home / "server.log").read_text(errors="replace").count("is fetched anew")
                           for node in self.cluster.nodes)

    def verify(self, admin):
        self.stage = "reading everything"
        log = read_log(self.cluster, self.ledger, "the end", committed=False)
        self.ledger.check_log(log)
        committed = read_log(self.cluster, self.ledger, "the committed end", committed=True)
        self.ledger.check_committed(committed)
        self.stage = "waiting for the readers"
        self.clients.wait_for_readers(committed, 90)
        self.clients.stop_reading()
        for follower in self.clients.followers:
            self.ledger.check_reader(follower.name, follower.read, committed if follower.committed else log)
        self.ledger.check_group(["once", "plain"], self.clients.committed_offsets())
        self.read_from_all(admin, log)
        self.stage = "comparing the replicas"
        for node in self.cluster.nodes:
            if node.stop():
                self.ledger.anomaly("stop failed", f"node {node.number} did not end with 0:\n{node.log_tail()}")
        self.alike = segments.compare([node.data for node in self.cluster.nodes], TOPICS, self.ledger)

    def read_from_all(self, admin, log):
        """The same from other leaders: those that were first chosen, then without each of the nodes."""
        self.stage = "reading from the first replicas"
        wanted = [TopicPartition(topic, number) for topic, count in TOPICS.items() for number in range(count)]
        admin.elect_leaders(ElectionType.PREFERRED, wanted).result(30)
        self.compare(log, "the first replicas")
        for node in self.cluster.nodes:
            self.stage = f"reading without node {node.number}"
            node.stop()
            self.compare(log, f"the cluster without node {node.number}")
            node.launch()
            self.cluster.wait_until_ready(60)
            self.cluster.wait_until_in_sync(admin, 90)

    def compare(self, log, reader: str):
        again = read_log(self.cluster, self.ledger, reader, committed=False)
        for place, records in log.items():
            if again[place] != records:
                gone = sorted(records.keys() ^ again[place].keys())
                self.ledger.anomaly("another leader, another log", f"{place[0]}-{place[1]} read from {reader}: "
                                    f"{len(again[place])} records, not {len(records)}; offsets {gone[:5]}")

    # MARK: Beside it

    def watch(self):
        """Nodes that end by themselves, and a line of progress."""
        began = time.monotonic()
        while not self.is_over:
            for node in self.cluster.ended_by_itself():
                code = node.process.returncode
                self.ledger.anomaly("node ended by itself", f"node {node.number} ended with {code} while "
                                    f"{self.stage}:\n{node.log_tail()}")
                node.is_wanted = False
            if not self.quiet:
                totals = self.ledger.totals()
                last = self.nemesis.last if self.nemesis else ""
                line = (f"{time.monotonic() - began:6.0f} s  {self.stage}  {totals['acknowledged']:,} acknowledged, "
                        f"{totals['transactions']['committed']:,} transactions, "
                        f"{sum(self.nemesis.counts.values()) if self.nemesis else 0} faults, "
                        f"{len(self.ledger.anomalies)} anomalies  {last}")
                width = shutil.get_terminal_size().columns - 1
                if sys.stderr.isatty():
                    print(f"\r\x1b[2K{line[:width]}", end="", file=sys.stderr, flush=True)
                elif int(time.monotonic() - began) % 30 == 0:
                    print(line, file=sys.stderr, flush=True)
            time.sleep(1)
        if not self.quiet and sys.stderr.isatty():
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)

    def report(self) -> dict:
        errors: dict[str, int] = {}
        for client in self.clients.all:
            for name, count in client.errors.items():
                errors[name] = errors.get(name, 0) + count
        return {"seed": self.seed, "seconds": self.seconds, **self.ledger.totals(),
                "faults": dict(self.nemesis.counts) if self.nemesis else {}, "repairs": self.repairs,
                "batches_alike_on_all_replicas": self.alike, "client_errors": errors,
                "anomalies": dict(self.ledger.kinds), "stories": self.ledger.anomalies, "folder": str(self.folder)}


def show(report: dict):
    transactions = report["transactions"]
    print(f"seed {report['seed']}: {report['acknowledged']:,} of {report['sent']:,} records acknowledged, transactions: "
          f"{transactions['committed']:,} committed, {transactions['aborted']:,} aborted, "
          f"{transactions['unknown']:,} unknown")
    print(f"reads: {', '.join(f'{name} {count:,}' for name, count in sorted(report['reads'].items()))}")
    print(f"faults: {', '.join(f'{name} {count}' for name, count in sorted(report['faults'].items())) or 'none'}; "
          f"{report['repairs']} repairs; longest pause of acknowledgements {report['longest_pause_seconds']} s")
    print(f"{report['batches_alike_on_all_replicas']:,} batches are byte for byte the same on all replicas")
    for story in report["stories"]:
        print(f"\nANOMALY {story['kind']} (found at {story['at']})\n  {story['story']}\n  faults before:")
        for line in story["faults"]:
            print(f"    {line}")
    total = sum(report["anomalies"].values())
    print(f"{total} anomalies" + (f": {report['anomalies']}; everything is in {report['folder']}" if total else ""))


def end(ok: bool):
    """Without waiting for threads of clients that hang."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if ok else 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=150, help="records a second of each plain producer")
    parser.add_argument("-o", "--output", choices=["text", "json"], default="text")
    parser.add_argument("--keep", action="store_true", help="keep the folder of a run that found nothing, too")
    options = parser.parse_args()
    if not os.path.exists(WEIR):
        sys.exit(f"{WEIR} does not exist: run `make release` first, or set WEIR")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-faults-"))
    run = Run(options.minutes * 60, options.seed, folder, options.rate, quiet=options.output == "json")
    ok = run.go()
    report = run.report()
    (folder / "report.json").write_text(json.dumps(report, indent=1))
    if ok and not options.keep:
        shutil.rmtree(folder)
        report["folder"] = None
    if options.output == "json":
        print(json.dumps(report))
    else:
        show(report)
    end(ok)


if __name__ == "__main__":
    main()
