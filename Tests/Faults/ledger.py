"""What was promised to clients, and whether it was kept. One checker for every kind of fault.

Clients write down what they send, what is acknowledged, how transactions end and what they read; nothing else is
trusted. An outcome that a client can't know (a timeout, a fatal error) promises nothing: such a record may be
there or not, such a transaction must be there whole or not at all.

Each value names its writer and its number there, and can be computed from them: a value that is exchanged,
damaged or cut is told from a lost one.
"""
import array
import collections
import threading
import time

OPEN, ENDING, COMMITTED, ABORTED = "open", "ending", "committed", "aborted"
UNANSWERED = -1
# Stories beyond these repeat what the first ones say.
STORIES_OF_A_KIND = 5

Place = tuple[str, int]


def padding(number: int) -> int:
    """Mostly short; now and then a record that fills a batch."""
    return 4000 if number % 97 == 0 else (number * 37) % 300


class Writer:
    """One producer from its first to its last record: one producer id, as long as nothing is fatal."""

    def __init__(self, index: int, name: str, topic: str, is_idempotent: bool, is_transactional: bool):
        self.index, self.name, self.topic = index, name, topic
        self.is_idempotent, self.is_transactional = is_idempotent, is_transactional
        # By number.
        self.partitions = array.array("i")
        self.offsets = array.array("q")
        self.answered_at = array.array("d")
        self.transactions = array.array("i")
        # Of a writer that moves records to the same partition of another topic: their offsets.
        self.sources = array.array("q")
        # When a record of it failed for the first time. librdkafka then takes a new producer epoch, and sends what it has
        # no answer for as new records: from then on some may be there twice, and no broker could know.
        self.failed_at = float("inf")
        # By number of the transaction: state, number of the first record, number behind the last.
        self.states: list[str] = []
        self.ranges: list[list[int]] = []

    def value(self, number: int) -> bytes:
        return b"%b:%d:%d " % (self.name.encode(), number, self.transactions[number]) + b"x" * padding(number)

    def state(self, number: int) -> str | None:
        """How the record's transaction stands; nil without one."""
        return self.states[self.transactions[number]] if self.is_transactional else None


class Ledger:
    def __init__(self):
        self.lock = threading.RLock()
        self.began = time.time()
        self.writers: list[Writer] = []
        self.by_name: dict[str, Writer] = {}
        self.acknowledged = self.refused = 0
        # The largest offset that was acknowledged.
        self.ends: dict[Place, int] = {}
        self.last_answer = time.monotonic()
        self.longest_pause = 0.0
        # What readers have been shown: by partition and offset, writer and number.
        self.seen: dict[Place, dict[int, int]] = collections.defaultdict(dict)
        self.reads = collections.Counter()
        self.group_read: set[int] = set()
        # The largest offset whose commit was acknowledged.
        self.floors: dict[Place, int] = collections.defaultdict(int)
        self.anomalies: list[dict] = []
        self.kinds = collections.Counter()
        self.faults: list[tuple[float, str]] = []

    # MARK: What clients write down

    def writer(self, name: str, topic: str, *, idempotent: bool, transactional: bool = False) -> Writer:
        with self.lock:
            writer = Writer(len(self.writers), name, topic, idempotent, transactional)
            self.writers.append(writer)
            self.by_name[name] = writer
            return writer

    def send(self, writer: Writer, partition: int, source: int | None = None) -> int:
        with self.lock:
            if source is not None:
                writer.sources.append(source)
            number = len(writer.offsets)
            writer.partitions.append(partition)
            writer.offsets.append(UNANSWERED)
            writer.answered_at.append(0)
            writer.transactions.append(len(writer.states) - 1)
            if writer.is_transactional:
                writer.ranges[-1][1] = number + 1
            return number

    def answer(self, writer: Writer, number: int, error, message):
        """The delivery report."""
        with self.lock:
            if error is not None:
                self.refused += 1
                writer.failed_at = min(writer.failed_at, time.time())
                return
            now = time.monotonic()
            self.longest_pause = max(self.longest_pause, now - self.last_answer)
            self.last_answer = now
            self.acknowledged += 1
            place = (writer.topic, writer.partitions[number])
            self.ends[place] = max(self.ends.get(place, -1), message.offset())
            writer.offsets[number] = message.offset()
            writer.answered_at[number] = time.time()

    def begin(self, writer: Writer):
        with self.lock:
            writer.states.append(OPEN)
            writer.ranges.append([len(writer.offsets)] * 2)

    def end(self, writer: Writer, state: str):
        with self.lock:
            writer.states[-1] = state

    def fault(self, text: str):
        with self.lock:
            self.faults.append((time.time(), text))

    def commit(self, place: Place, offset: int):
        """The group was told that its offset is kept."""
        with self.lock:
            self.floors[place] = max(self.floors[place], offset)

    def read(self, reader: str, place: Place, offset: int, value: bytes, *, committed: bool) -> int | None:
        """A reader was shown a record; writer and number of it."""
        with self.lock:
            self.reads[reader.split(" of round")[0]] += 1
            found = self.identify(value)
            where = f"{place[0]}-{place[1]} offset {offset}"
            if found is None:
                self.anomaly("foreign value", f"{reader} read {value[:80]!r} at {where}, which nobody wrote")
                return None
            writer, number = found
            if (writer.topic, writer.partitions[number]) != place:
                self.anomaly("wrong partition", f"{reader} read {self.tell(writer, number)} at {where}")
            packed = writer.index << 40 | number
            before = self.seen[place].setdefault(offset, packed)
            if before != packed:
                self.anomaly("offset changed its value", f"{where} was {self.tell(*self.unpack(before))}; "
                             f"{reader} read {self.tell(writer, number)} there", writer, number)
            if committed and writer.state(number) in (OPEN, ABORTED):
                state = writer.state(number)
                self.anomaly("read of what is not committed",
                             f"{reader} read {self.tell(writer, number)} at {where}, of a transaction that is {state}",
                             writer, number)
            return packed

    # MARK: Words

    def identify(self, value: bytes) -> tuple[Writer, int] | None:
        try:
            name, number, _ = value.split(b" ", 1)[0].decode().split(":")
            writer = self.by_name[name]
            number = int(number)
            return (writer, number) if writer.value(number) == value else None
        except (ValueError, KeyError, IndexError):
            return None

    def unpack(self, packed: int) -> tuple[Writer, int]:
        return self.writers[packed >> 40], packed & ((1 << 40) - 1)

    def clock(self, moment: float) -> str:
        return f"{time.strftime('%H:%M:%S', time.localtime(moment))}.{int(moment * 1000) % 1000:03}"

    def tell(self, writer: Writer, number: int) -> str:
        answered = writer.answered_at[number]
        outcome = (f"acknowledged at {self.clock(answered)} at offset {writer.offsets[number]}" if answered
                   else "not acknowledged")
        state = writer.state(number)
        return (f"record {number} of {writer.name} ({writer.topic}-{writer.partitions[number]}, {outcome}"
                + (f", transaction {writer.transactions[number]} {state}" if state else "") + ")")

    def anomaly(self, kind: str, text: str, writer: Writer | None = None, number: int = 0):
        with self.lock:
            self.kinds[kind] += 1
            if self.kinds[kind] > STORIES_OF_A_KIND:
                return
            moment = writer.answered_at[number] if writer else 0
            moment = moment or time.time()
            around = [f"{self.clock(at)} {what}" for at, what in self.faults if at <= moment + 15][-12:]
            self.anomalies.append({"kind": kind, "at": self.clock(time.time()), "story": text, "faults": around})

    # MARK: The verdict

    def check_log(self, log: dict[Place, dict[int, int]], ranges: dict[Place, tuple[int, int]] | None = None,
                  until: float = float("inf")):
        """Against all records that are there, by partition and offset: writer and number. With ranges only against
        those of some offsets; `until` says which acknowledgements were given before they were read."""
        whole = ranges is None
        with self.lock:
            places = {packed: (place, offset) for place, records in log.items() for offset, packed in records.items()}
            for writer in self.writers:
                self.check_writer(writer, log, places, ranges, until)
            for place, records in log.items():
                self.check_order(place, records)
                if whole:
                    for offset, packed in self.seen[place].items():
                        if offset not in records:
                            writer, number = self.unpack(packed)
                            self.anomaly("shown and gone", f"{place[0]}-{place[1]} offset {offset} was shown to a reader:"
                                         f" {self.tell(writer, number)}; nothing is there", writer, number)

    def check_writer(self, writer: Writer, log, places, ranges, until: float):
        last: dict[int, int] = {}
        for number, offset in enumerate(writer.offsets):
            if offset == UNANSWERED:
                continue
            partition = writer.partitions[number]
            records = log.get((writer.topic, partition), {})
            # Without idempotence librdkafka sends to a new leader what comes after records that the old one has not
            # answered yet, and those later: no broker could put them in order.
            if writer.is_idempotent and last.get(partition, -1) >= offset:
                self.anomaly("acknowledged out of order", f"{self.tell(writer, number)}, the one before it at "
                             f"{last[partition]}", writer, number)
            last[partition] = offset
            if writer.answered_at[number] > until:
                continue
            if ranges is not None:
                first, end = ranges.get((writer.topic, partition), (0, -1))
                if not first <= offset <= end:
                    continue
            packed = writer.index << 40 | number
            if records.get(offset) == packed:
                continue
            there = records.get(offset)
            instead = self.tell(*self.unpack(there)) if there is not None else "nothing"
            elsewhere = places.get(packed)
            kind = "at another offset" if elsewhere else "lost record"
            self.anomaly(kind, f"{self.tell(writer, number)}: at its offset is {instead}; the log ends at "
                         f"{max(records, default=-1)}"
                         + (f"; it is at {elsewhere[0][0]}-{elsewhere[0][1]} offset {elsewhere[1]}" if elsewhere else ""),
                         writer, number)

    def check_order(self, place: Place, records: dict[int, int]):
        last: dict[int, tuple[int, int]] = {}
        copies: set[int] = set()
        for offset in sorted(records):
            packed = records[offset]
            writer, number = self.unpack(packed)
            if not writer.is_idempotent:
                continue
            where = f"{place[0]}-{place[1]} offset {offset}"
            answered = writer.answered_at[number]
            if packed in copies and (not answered or answered >= writer.failed_at):
                continue
            if packed in copies:
                self.anomaly("record twice", f"{self.tell(writer, number)} is at {where}, too", writer, number)
            elif writer.index in last and last[writer.index][0] > number:
                self.anomaly("out of order", f"{self.tell(writer, number)} is at {where}, behind record "
                             f"{last[writer.index][0]} at {last[writer.index][1]}", writer, number)
            copies.add(packed)
            last[writer.index] = (number, offset)

    def check_committed(self, log: dict[Place, dict[int, int]]):
        """Against what a reader of committed records sees at the end."""
        with self.lock:
            visible = {packed for records in log.values() for packed in records.values()}
            for writer in self.writers:
                if not writer.is_transactional:
                    for number, offset in enumerate(writer.offsets):
                        if offset != UNANSWERED and writer.index << 40 | number not in visible:
                            self.anomaly("unseen", f"{self.tell(writer, number)} is not shown", writer, number)
                    continue
                for state, (first, behind) in zip(writer.states, writer.ranges):
                    shown = [n for n in range(first, behind) if writer.index << 40 | n in visible]
                    if state in (OPEN, ABORTED) and shown:
                        self.anomaly("aborted and shown", self.tell(writer, shown[0]), writer, shown[0])
                    elif state == COMMITTED and len(shown) != behind - first:
                        gone = next(n for n in range(first, behind) if n not in shown)
                        self.anomaly("committed and not whole", f"{self.tell(writer, gone)} is not shown; "
                                     f"{len(shown)} of its {behind - first} are", writer, gone)
                    elif state == ENDING and len(shown) not in (0, behind - first):
                        gone = next(n for n in range(first, behind) if n not in shown)
                        self.anomaly("torn transaction", f"{self.tell(writer, gone)} is not shown; {len(shown)} of its "
                                     f"{behind - first} are", writer, gone)

    def check_group(self, topics: list[str], committed: dict[Place, int]):
        """Every acknowledged value was read by the group, and its offsets are where they were promised to be."""
        with self.lock:
            for writer in self.writers:
                if writer.topic not in topics:
                    continue
                for number, offset in enumerate(writer.offsets):
                    if offset != UNANSWERED and writer.index << 40 | number not in self.group_read:
                        self.anomaly("group missed a record", self.tell(writer, number), writer, number)
            for place, floor in self.floors.items():
                if committed.get(place, -1) < floor:
                    self.anomaly("committed offset went back", f"{place[0]}-{place[1]}: {floor} was acknowledged, "
                                 f"{committed.get(place)} is there")

    def check_moved(self, source: str, target: str, log: dict[Place, dict[int, int]]):
        """What was read, written and committed in one transaction: each record of the source is in the target once."""
        with self.lock:
            for (topic, partition), records in log.items():
                if topic != target:
                    continue
                moved: dict[int, int] = {}
                for packed in records.values():
                    writer, number = self.unpack(packed)
                    offset = writer.sources[number]
                    before = moved.setdefault(offset, packed)
                    if before != packed:
                        self.anomaly("moved twice", f"{source}-{partition} offset {offset} as {self.tell(writer, number)} "
                                     f"and as {self.tell(*self.unpack(before))}", writer, number)
                for offset, packed in log[source, partition].items():
                    if offset not in moved:
                        writer, number = self.unpack(packed)
                        self.anomaly("not moved", self.tell(writer, number), writer, number)

    def check_reader(self, reader: str, read: dict[Place, set[int]], log: dict[Place, dict[int, int]]):
        """A reader that was there all the time has been shown everything."""
        with self.lock:
            for place, records in log.items():
                for offset in records:
                    if offset not in read.get(place, ()):
                        writer, number = self.unpack(records[offset])
                        self.anomaly("reader skipped a record", f"{reader} was never shown {place[0]}-{place[1]} offset "
                                     f"{offset}: {self.tell(writer, number)}", writer, number)

    def totals(self) -> dict:
        with self.lock:
            states = collections.Counter(state for writer in self.writers for state in writer.states)
            sent = sum(len(writer.offsets) for writer in self.writers)
            return {
                "sent": sent, "acknowledged": self.acknowledged, "unknown": sent - self.acknowledged,
                "transactions": {"committed": states[COMMITTED], "aborted": states[ABORTED] + states[OPEN],
                                 "unknown": states[ENDING]},
                "writers": len(self.writers), "reads": dict(self.reads),
                "longest_pause_seconds": round(self.longest_pause, 2),
            }
