"""What queries do to producers: the time of durable acknowledgements at a fixed rate, alone and while queries
keep every core busy. p99 must not double."""
import json
import os
import statistics
import subprocess
import threading

from harness import WEIR, Server

ROWS = 2_000_000
QUERIES = [
    "SELECT n % 1000 AS k, count(*), sum(n), max(t) FROM load GROUP BY 1 ORDER BY 3 DESC LIMIT 5",
    "SELECT count(DISTINCT t) FROM load",
    "SELECT count(*) FROM load a JOIN load b ON a.n = b.n WHERE a.n % 3 = 0",
    "SELECT n, t FROM load ORDER BY t DESC, n LIMIT 10",
]


def latency(server: Server, seconds: int, rate: int) -> dict:
    """What `weir bench latency` says."""
    run = subprocess.run(
        [WEIR, "bench", "latency", "--server", server.kafka, "--rate", str(rate), "--seconds", str(seconds),
         "--no-raw", "-q", "-o", "json"], check=True, capture_output=True, text=True)
    return json.loads(run.stdout)


class Burners:
    """As many connections as cores, and one more, each with one query after the other."""

    def __init__(self, server: Server):
        self.stop, self.done, self.failed = threading.Event(), 0, []
        self.threads = [threading.Thread(target=self.burn, args=(server, place))
                        for place in range((os.cpu_count() or 1) + 1)]

    def burn(self, server: Server, place: int):
        import http.client
        connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=600)
        while not self.stop.is_set():
            body = json.dumps({"sql": QUERIES[(place + self.done) % len(QUERIES)]})
            connection.request("POST", "/query", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            content = answer.read()
            if answer.status != 200:
                self.failed.append(content[:300])
                return
            self.done += 1

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()


def interference(options) -> dict:
    """Produce latency alone, and while queries burn every core."""
    seconds, rate, rounds = 10, 500, []
    with Server() as server:
        server.start()
        server.wait_http()
        server.sql(f"CREATE TABLE load AS SELECT n, md5((n % 300000)::text) AS t FROM generate_series(1, {ROWS}) AS g(n)")
        latency(server, 3, rate)
        for _ in range(options.long_runs):
            alone = latency(server, seconds, rate)
            before = server.cpu()
            with Burners(server) as burners:
                busy = latency(server, seconds, rate)
            if burners.failed or not burners.done:
                raise RuntimeError(f"queries failed: {burners.failed[:1]}")
            rounds.append({"alone": alone, "busy": busy, "queries": burners.done,
                           "server_cpu_s": round(server.cpu() - before, 1)})
        server.stop()
    result = {"rows": ROWS, "rate": rate, "seconds": seconds, "rounds": len(rounds)}
    for name in ("p50", "p99", "p999"):
        for side in ("alone", "busy"):
            result[f"{side}_{name}_ms"] = round(statistics.median(pick(r[side], name) for r in rounds), 3)
    result["p99_ratio"] = round(result["busy_p99_ms"] / result["alone_p99_ms"], 2)
    result["queries"] = sum(r["queries"] for r in rounds)
    result["server_cpu_s_under_queries"] = sum(r["server_cpu_s"] for r in rounds)
    return result


def pick(answer: dict, name: str) -> float:
    """Of a produce request, from the moment at which it was due to its acknowledgement."""
    return answer["results"][f"ack_{name}_ms"]
