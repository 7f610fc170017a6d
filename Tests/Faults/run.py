"""Three real nodes, real clients and a seeded nemesis: is what was acknowledged there, once, in order, at its offset?

    make faults MINUTES=30 SEED=1

Exit code 1 is an anomaly; then the folder with logs, data and the row of faults is kept. A seed stands for one row
of faults, not for one row of events: processes, clients and the network have no common clock.
"""
import argparse
import time

from nemesis import Nemesis
from nodes import PATIENCE, eventually
from proxy import Proxy
from trial import Trial, conclude, new_folder


class Run(Trial):
    def __init__(self, seconds: float, seed: int, rate: float, gap: float, quiet: bool):
        proxy = Proxy(seed)
        super().__init__(seed, new_folder("weir-faults-"), rate, quiet, proxy)
        self.seconds = seconds
        self.nemesis = Nemesis(self, gap)
        proxy.start()

    def trouble(self, admin):
        self.nemesis.start()
        time.sleep(self.seconds)
        self.nemesis.ends.set()
        self.nemesis.join()

    def settle(self, admin):
        """Every damage is noticed and repaired."""
        if self.nemesis.counts["damage"]:
            self.stage = "waiting for the scrubbers"
            rounds = {node.number: node.metric("weir_scrub_rounds_total") or 0 for node in self.cluster.nodes}
            # One may be under way that has passed the damage already.
            for node in self.cluster.nodes:
                eventually(lambda: (node.metric("weir_scrub_rounds_total") or 0) >= rounds[node.number] + 2, PATIENCE,
                           f"node {node.number} checks all closed segments")
            self.cluster.wait_until_in_sync(admin, PATIENCE)
        self.repairs = sum((node.home / "server.log").read_text(errors="replace").count("is fetched anew")
                           for node in self.cluster.nodes)

    def report(self) -> dict:
        return {**super().report(), "seconds": self.seconds, "faults": dict(self.nemesis.counts)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=150, help="records a second of each plain producer")
    parser.add_argument("--gap", type=float, default=4, help="the longest time until the next fault, in seconds")
    parser.add_argument("-o", "--output", choices=["text", "json"], default="text")
    parser.add_argument("--keep", action="store_true", help="keep the folder of a run that found nothing, too")
    options = parser.parse_args()
    run = Run(options.minutes * 60, options.seed, options.rate, options.gap, quiet=options.output == "json")
    conclude(run, run.go(), options.output, options.keep)


if __name__ == "__main__":
    main()
