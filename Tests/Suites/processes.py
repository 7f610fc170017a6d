"""What every suite needs: `weir serve` processes that surely end, and the places where files go."""
import ctypes
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
WEIR = os.environ.get("WEIR", str(ROOT / ".build/release/weir"))
DISTRIBUTION = HERE / "distribution"
PR_SET_CHILD_SUBREAPER = 36


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port: int, process: subprocess.Popen | None = None, seconds: float = 30) -> bool:
    """False when nobody listens in time, or the process has ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process is not None and process.poll() is not None:
            return False
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return True
        except OSError:
            time.sleep(0.02)
    return False


def known_settings() -> set[str]:
    """The names that `weir serve -X` takes, from its help."""
    text = subprocess.run([WEIR, "serve", "--help"], capture_output=True, text=True,
                          check=True).stdout
    part = text.split("Settings for -X:")[1].split("\nflags:")[0]
    return set(re.findall(r"^  ([a-z][\w.]*) ", part, re.MULTILINE))


def settings_flags(settings: dict[str, str]) -> list[str]:
    return [word for name, value in settings.items() for word in ("-X", f"{name}={value}")]


class Broker:
    """One `weir serve` with a data directory of its own; gone, data and all, at the end of `with`.

    `listeners` maps names such as PLAINTEXT or SASL_SSL to ports of 127.0.0.1; `users` names to
    passwords. The log of the process stands in `log` until then.
    """

    def __init__(self, listeners: dict[str, int] | None = None,
                 settings: dict[str, str] | None = None, users: dict[str, str] | None = None,
                 host: str = "127.0.0.1"):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-suite-"))
        self.listeners = listeners or {"PLAINTEXT": free_port()}
        self.host = host
        self.log = self.folder / "log"
        words = [WEIR, "serve", "--data", str(self.folder / "data"), "--http", "127.0.0.1:0"]
        for name, port in self.listeners.items():
            words += ["--listener", f"{name}://{host}:{port}"]
        for name, password in (users or {}).items():
            file = self.folder / f"password-{name}"
            file.write_text(password + "\n")
            words += ["--bootstrap-user", f"{name}:{file}"]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                words + settings_flags(settings or {}), stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, env={**os.environ, "SWIFT_BACKTRACE": "enable=no"})
        if not all(wait_for_port(port, self.process) for port in self.listeners.values()):
            text = self.log.read_text(errors="replace")
            self.stop()
            raise RuntimeError(f"weir does not start: {' '.join(words)}\n{text}")

    def address(self, listener: str = "PLAINTEXT") -> str:
        return f"{self.host}:{self.listeners[listener]}"

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> "Broker":
        return self

    def __exit__(self, *_) -> None:
        self.stop()


def adopt_orphans() -> None:
    """Children of children whose parent ends become ours, so that `end_all` finds them."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit("stopped"))


def descendants() -> list[int]:
    """Process ids below this process, children before their children."""
    children: dict[int, list[int]] = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, todo = [], [os.getpid()]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def end_all() -> None:
    """Ends whatever this process has started, directly or not."""
    for number, seconds in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        for process in descendants():
            try:
                os.kill(process, number)
            except ProcessLookupError:
                pass
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if os.waitpid(-1, os.WNOHANG) == (0, 0):
                    time.sleep(0.05)
            except ChildProcessError:
                return


def run_to_end(words: list[str], seconds: float, log: pathlib.Path, **more) -> int | None:
    """The exit code of a program, None when it took too long; what it says is added to `log`."""
    with open(log, "ab") as output:
        process = subprocess.Popen(words, stdout=output, stderr=subprocess.STDOUT,
                                   stdin=subprocess.DEVNULL, start_new_session=True, **more)
        try:
            return process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def prepared_copy(source: pathlib.Path, target: pathlib.Path) -> None:
    """A copy to work in, made anew when the sources have another commit; theirs stay untouched."""
    stamp = target.with_name(target.name + ".stamp")
    version = revision(source)
    if target.exists() and stamp.exists() and stamp.read_text() == version:
        return
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns(".git"))
    stamp.write_text(version)


def revision(source: pathlib.Path) -> str:
    """The commit of a checkout; the newest change of a folder without one."""
    done = subprocess.run(["git", "-C", str(source), "rev-parse", "--short", "HEAD"],
                          capture_output=True, text=True)
    if done.returncode == 0:
        return done.stdout.strip()
    return f"mtime {max(path.stat().st_mtime for path in source.rglob('*')):.0f}"


def virtual_environment(folder: pathlib.Path, requirements: pathlib.Path) -> pathlib.Path:
    """Its python; installed anew when the list of requirements has changed."""
    python, stamp = folder / "bin/python", folder / ".installed"
    wanted = requirements.read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check",
                        "-r", str(requirements)], check=True)
        stamp.write_text(wanted)
    return python
