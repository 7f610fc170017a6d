"""What every benchmark needs: a server, its CPU and memory, facts of the machine, result files."""
import datetime
import http.client
import json
import os
import pathlib
import platform
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
WEIR = os.environ.get("WEIR", str(ROOT / ".build/release/weir"))
RESULTS = pathlib.Path(os.environ.get("WEIR_BENCH_RESULTS", ROOT / "Benchmarks/results"))
TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of a process so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory(pid: int) -> dict:
    """Resident and highest resident MiB."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    facts = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return {name: round(int(facts[key].split()[0]) / 1024, 1)
            for name, key in (("rss_mib", "VmRSS"), ("peak_rss_mib", "VmHWM"),
                              ("anonymous_mib", "RssAnon"))}


class Server:
    """One `weir serve` over one data directory."""

    def __init__(self, *settings: str, parent: str | None = None):
        self.folder = tempfile.mkdtemp(prefix="weir-bench-", dir=parent)
        self.data = os.path.join(self.folder, "data")
        self.kafka_port, self.http_port = free_port(), free_port()
        self.settings = settings
        self.process = None
        self.connection = None

    @property
    def kafka(self) -> str:
        return f"127.0.0.1:{self.kafka_port}"

    @property
    def pid(self) -> int:
        return self.process.pid

    def start(self) -> float:
        """Starts it and returns the milliseconds until the broker answered ApiVersions."""
        command = [WEIR, "serve", "--data", self.data, "--kafka", self.kafka,
                   "--http", f"127.0.0.1:{self.http_port}", *self.settings]
        with open(os.path.join(self.folder, "log"), "ab") as log:
            began = time.perf_counter()
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        while not answers_api_versions(self.kafka_port):
            if self.process.poll() is not None:
                raise RuntimeError(f"weir ended:\n{self.tail()}")
            if time.perf_counter() - began > 60:
                raise RuntimeError(f"weir is not ready after 60 s:\n{self.tail()}")
            time.sleep(0.0005)
        return (time.perf_counter() - began) * 1000

    def wait_http(self):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                if self.request("GET", "/readyz")[0] == 200:
                    return
            except OSError:
                self.connection = None
            time.sleep(0.01)
        raise RuntimeError(f"/readyz does not answer:\n{self.tail()}")

    def tail(self) -> str:
        return pathlib.Path(self.folder, "log").read_text(errors="replace")[-3000:]

    def request(self, method: str, path: str, body=None):
        """One request on a kept connection: status and parsed answer."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=600)
            self.connection.connect()
            self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        data = None if body is None else json.dumps(body).encode()
        self.connection.request(method, path, data, {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        content = answer.read()
        try:
            return answer.status, json.loads(content)
        except ValueError:
            return answer.status, content

    def sql(self, text: str, limit: int = 1000):
        status, answer = self.request("POST", "/query", {"sql": text, "limit": limit})
        if status != 200:
            raise RuntimeError(f"{text[:200]}: {answer}")
        return answer["rows"]

    def cpu(self) -> float:
        return cpu_seconds(self.pid)

    def stop(self):
        if self.connection:
            self.connection.close()
            self.connection = None
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(timeout=60) != 0:
            raise RuntimeError(f"weir ended with {self.process.returncode}:\n{self.tail()}")

    def remove(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()


def answers_api_versions(port: int) -> bool:
    body = struct.pack(">hhih", 18, 0, 1, 5) + b"bench"
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as link:
            link.sendall(struct.pack(">i", len(body)) + body)
            answer = link.recv(4096)
    except OSError:
        return False
    return len(answer) > 10 and struct.unpack(">i", answer[4:8])[0] == 1


# Figures of the machine itself, taken beside ours so that ratios survive a change of machine.

def memcpy_mb() -> float:
    source, target = bytearray(b"x" * (64 << 20)), bytearray(64 << 20)
    view = memoryview(target)
    rates = []
    for _ in range(5):
        began = time.perf_counter()
        view[:] = source
        rates.append(len(source) / 1e6 / (time.perf_counter() - began))
    return statistics.median(rates)


def write_mb(folder: str, size: int = 256 << 20) -> tuple[float, float]:
    """Sequential writes of 1 MiB, one fdatasync at the end: MB/s, and CPU seconds a GB."""
    block, rates, costs = os.urandom(1 << 20), [], []
    for _ in range(3):
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            began, cpu = time.perf_counter(), time.process_time()
            for _ in range(size >> 20):
                file.write(block)
            os.fdatasync(file.fileno())
            rates.append(size / 1e6 / (time.perf_counter() - began))
            costs.append((time.process_time() - cpu) / size * 1e9)
    return statistics.median(rates), statistics.median(costs)


def sync_ms(folder: str) -> float:
    """Median of fdatasync after 4 KiB written over a file that was written before."""
    times = []
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        file.write(bytes(4 << 20))
        os.fsync(file.fileno())
        for index in range(200):
            os.pwrite(file.fileno(), b"y" * 4096, index * 4096)
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def loopback_mb(size: int = 1 << 30) -> float:
    """One TCP connection over 127.0.0.1, 256 KiB a call, sender in a process of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    child = os.fork()
    if child == 0:
        with socket.create_connection(listener.getsockname()) as link:
            block = bytes(256 << 10)
            for _ in range(size // len(block)):
                link.sendall(block)
        os._exit(0)
    link, _ = listener.accept()
    buffer, received = bytearray(256 << 10), 0
    began = time.perf_counter()
    while count := link.recv_into(buffer):
        received += count
    rate = received / 1e6 / (time.perf_counter() - began)
    link.close()
    listener.close()
    os.waitpid(child, 0)
    return rate


def warm_memory(folder: str) -> None:
    """Has a third of the memory be used and freed. Virtual machines get memory from their host when it
    is touched for the first time, which costs CPU seconds a GB that have nothing to do with us."""
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 3
    block = bytes(1 << 20)
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        for _ in range(min(size, shutil.disk_usage(folder).free // 4) >> 20):
            file.write(block)
        os.fdatasync(file.fileno())


def raw_figures(folder: str) -> dict:
    rate, cost = write_mb(folder)
    return {"memcpy_mb_s": round(memcpy_mb()), "write_fdatasync_mb_s": round(rate),
            "write_cpu_s_per_gb": round(cost, 2), "fdatasync_4k_ms": round(sync_ms(folder), 3),
            "loopback_mb_s": round(loopback_mb())}


def machine() -> dict:
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo")
                if line.startswith("model name")), platform.machine())
    total = int(open("/proc/meminfo").readline().split()[1]) >> 20
    place = subprocess.run(["df", "--output=fstype", tempfile.gettempdir()],
                           capture_output=True, text=True).stdout.split()[-1]
    version = subprocess.run([WEIR, "version"], capture_output=True, text=True).stdout.strip()
    commit = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"],
                            capture_output=True, text=True).stdout.strip()
    return {"cpu": cpu, "cores": os.cpu_count(), "memory_gib": total,
            "kernel": platform.release(), "file_system": place,
            "weir": version.splitlines()[0] if version else "", "commit": commit}


def load() -> float:
    return round(os.getloadavg()[0], 2)


def settle(patience: float, limit: float = 1.5):
    """Waits for the machine to become quiet, at most `patience` seconds."""
    deadline = time.monotonic() + patience
    while load() > limit and time.monotonic() < deadline:
        time.sleep(5)


def spread(values: list) -> dict:
    return {"median": round(statistics.median(values), 2), "min": round(min(values), 2),
            "max": round(max(values), 2), "runs": len(values)}


def save(name: str, command: str, results: dict, load_before: float) -> None:
    """Writes `<date>-<name>.json` and the same as a Markdown table."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    date = datetime.date.today().isoformat()
    facts = {**machine(), "load_before": load_before, "load_after": load()}
    document = {"benchmark": name, "date": date, "command": command, "machine": facts,
                "results": results}
    path = RESULTS / f"{date}-{name}"
    path.with_suffix(".json").write_text(
        json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    lines = [f"# {name}, {date}", "", f"Command: `{command}`  ",
             "Machine: " + ", ".join(f"{key} {value}" for key, value in facts.items()), "",
             "| figure | value |", "|---|---|"]
    lines += [f"| {key} | {value} |" for key, value in flat(results)]
    path.with_suffix(".md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines[5:]), f"\n→ {path}.json\n", flush=True)


def flat(value, prefix: str = ""):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flat(inner, f"{prefix}.{key}" if prefix else key)
    elif isinstance(value, list) and value and not isinstance(value[0], (dict, list)):
        yield prefix, ", ".join(map(str, value))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from flat(inner, f"{prefix}[{index}]")
    else:
        yield prefix, value
