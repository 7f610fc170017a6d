"""How each peer reads a version of a table, and what the log itself says of it.

The readers return dictionaries of canonical values, whatever a peer's own types are. What a peer
cannot read is written down in `REFUSALS` and asserted: when it learns to, the entry must go.
"""
import datetime
import decimal
import json
import math
import os
import re
import urllib.parse
import uuid

import duckdb
import duckdb_extension_delta
import polars
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet
from deltalake import DeltaTable, QueryBuilder

# MARK: Values


def canonical(value):
    """One form for a value: texts of numbers, moments in UTC, maps as sorted pairs."""
    if isinstance(value, bool) or value is None or isinstance(value, (int, str)):
        return value
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else value
    if isinstance(value, decimal.Decimal):
        return str(value)
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, (bytes, bytearray)):
        return "0x" + bytes(value).hex()
    if isinstance(value, datetime.datetime):
        if value.tzinfo is not None:
            value = value.astimezone(datetime.timezone.utc)
        return value.isoformat()
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, dict) and set(value) == {"metadata", "value"}:
        return json.dumps(variant(value["metadata"], value["value"]), sort_keys=True)
    if isinstance(value, dict):
        return {key: canonical(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [canonical(inner) for inner in value]
    raise TypeError(f"{type(value)}: {value!r}")


def variant(metadata, value):
    """The JSON of a variant, by VariantEncoding.md; of its types those that the tests use."""
    def number(data, at, size):
        return int.from_bytes(data[at:at + size], "little")

    width = (metadata[0] >> 6) + 1
    count = number(metadata, 1, width)
    starts = [number(metadata, 1 + width * (1 + n), width) for n in range(count + 1)]
    text = metadata[1 + width * (count + 2):]
    keys = [text[a:b].decode() for a, b in zip(starts, starts[1:])]

    def at(position):
        head = value[position]
        basic, rest = head & 3, head >> 2
        if basic == 1:
            return value[position + 1:position + 1 + rest].decode()
        if basic == 0:
            if rest <= 2:
                return (None, True, False)[rest]
            if 3 <= rest <= 6:
                size = 1 << (rest - 3)
                return int.from_bytes(value[position + 1:position + 1 + size], "little", signed=True)
            if 8 <= rest <= 9:
                unscaled = int.from_bytes(
                    value[position + 2:position + 2 + (4 if rest == 8 else 8)], "little", signed=True)
                return float(decimal.Decimal(unscaled).scaleb(-value[position + 1]))
            raise TypeError(f"variant of primitive type {rest}")
        size = (rest & 3) + 1
        ids = (rest >> 2 & 3) + 1 if basic == 2 else 0
        wide = 4 if rest >> (4 if basic == 2 else 2) & 1 else 1
        members = number(value, position + 1, wide)
        names_at = position + 1 + wide
        offsets_at = names_at + ids * members
        first = offsets_at + size * (members + 1)
        found = [at(first + number(value, offsets_at + size * n, size)) for n in range(members)]
        if basic == 3:
            return found
        return {keys[number(value, names_at + ids * n, ids)]: found[n] for n in range(members)}

    return at(0)


def canonical_rows(table: pa.Table):
    """Sorted rows of canonical values; columns in the order of their names."""
    names = sorted(table.column_names)
    columns = [table.column(name).to_pylist() for name in names]
    return names, sorted(
        ([canonical(value) for value in row] for row in zip(*columns)), key=repr)


# MARK: The log


class Log:
    """The commits of a table, replayed from their JSON by the letter of the specification."""

    def __init__(self, path):
        self.path = path
        folder = os.path.join(path, "_delta_log")
        self.commits = {}
        for name in os.listdir(folder):
            if re.fullmatch(r"\d{20}\.json", name):
                with open(os.path.join(folder, name)) as lines:
                    self.commits[int(name[:20])] = [
                        json.loads(line) for line in lines if line.strip()]

    @property
    def version(self):
        return max(self.commits)

    def operation(self, version):
        return next(a["commitInfo"] for a in self.commits[version] if "commitInfo" in a)

    def state(self, version):
        """(protocol, metaData, live add actions) of a version."""
        protocol = metadata = None
        live = {}
        for number in range(version + 1):
            actions = self.commits[number]
            for action in actions:
                protocol = action.get("protocol", protocol)
                metadata = action.get("metaData", metadata)
                if "remove" in action:
                    live.pop(self.key(action["remove"]), None)
            for action in actions:
                if "add" in action:
                    live[self.key(action["add"])] = action["add"]
        return protocol, metadata, list(live.values())

    @staticmethod
    def key(file):
        vector = file.get("deletionVector")
        return file["path"], vector and (vector["storageType"], vector["pathOrInlineDv"],
                                         vector.get("offset"))

    def file(self, add):
        return os.path.join(self.path, urllib.parse.unquote(add["path"]))


def features(protocol):
    return set(protocol.get("readerFeatures") or [])


def physical_names(fields):
    """Logical name → (name in the files, field) of the fields of a `struct` in the log's schema."""
    return {f["name"]: (f["metadata"].get("delta.columnMapping.physicalName", f["name"]), f)
            for f in fields}


# MARK: Readers: path, version → pyarrow table


def with_deltalake(path, version):
    """delta-rs hands the files to PyArrow's scanner."""
    return pa.table(DeltaTable(path, version=version).to_pyarrow_table())


def with_deltalake_engine(path, version):
    """delta-rs with its own engine."""
    query = QueryBuilder().register("t", DeltaTable(path, version=version))
    return pa.table(query.execute("SELECT * FROM t"))


def with_polars(path, version):
    # Its own types of text and lists become the common ones.
    return polars.scan_delta(path, version=version).collect().to_arrow(
        compat_level=polars.CompatLevel.oldest())


def duck():
    root = os.path.dirname(duckdb_extension_delta.__file__)
    file = os.path.join(root, "extensions", "v" + duckdb.__version__, "delta.duckdb_extension")
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"LOAD '{file}'")
    return connection


def with_duckdb(path, version):
    connection = duck()
    scan = f"delta_scan('{path}', version={version})"
    variants = [name for name, kind, *_ in connection.execute(f"DESCRIBE SELECT * FROM {scan}").fetchall()
                if kind == "VARIANT"]
    if not variants:
        return connection.execute(f"SELECT * FROM {scan}").to_arrow_table()
    # Arrow has no variants, so they leave DuckDB as JSON.
    words = ", ".join(f"CASE WHEN {name} IS NOT NULL THEN {name}::JSON::VARCHAR END AS {name}"
                      for name in variants)
    found = connection.execute(f"SELECT * REPLACE ({words}) FROM {scan}").to_arrow_table()
    for name in variants:
        texts = [text and json.dumps(json.loads(text), sort_keys=True)
                 for text in found.column(name).to_pylist()]
        found = found.set_column(found.column_names.index(name), name, pa.array(texts, pa.string()))
    return found


def local(place):
    """A path or `file://` address as a path."""
    if place.startswith("file://"):
        place = urllib.parse.unquote(place.removeprefix("file://"))
    return os.path.realpath(place)


def with_pyarrow(path, version):
    """PyArrow's dataset reader over the files that deltalake lists; it gets the names that the
    columns have in the files, the values of partition columns and the deleted rows from the log."""
    table = DeltaTable(path, version=version)
    log = Log(path)
    _, metadata, adds = log.state(version)
    assert sorted(map(local, table.file_uris())) == sorted(
        os.path.realpath(log.file(add)) for add in adds)
    columns = physical_names(json.loads(metadata["schemaString"])["fields"])
    schema = pa.schema(table.schema().to_arrow())
    kept = {}
    if any("deletionVector" in add for add in adds):
        vectors = pa.table(table.deletion_vectors()).to_pylist()
        kept = {local(v["filepath"]): v["selection_vector"] for v in vectors}
    parts = [schema.empty_table()]
    for add in adds:
        file = log.file(add)
        found = pyarrow.dataset.dataset(file, format="parquet").to_table()
        mask = kept.get(os.path.realpath(file))
        if mask is not None:
            found = found.filter(pa.array(mask + [True] * (found.num_rows - len(mask))))
        arrays = []
        for field in schema:
            physical = columns[field.name][0]
            if physical in add["partitionValues"]:
                text = add["partitionValues"][physical]
                arrays.append(pa.array([text or None] * found.num_rows).cast(field.type))
            elif physical in found.column_names:
                arrays.append(found.column(physical).cast(field.type))
            else:
                arrays.append(pa.nulls(found.num_rows, field.type))
        parts.append(pa.table(arrays, schema=schema))
    return pa.concat_tables(parts)


READERS = {"deltalake": with_deltalake, "delta-rs engine": with_deltalake_engine,
           "polars": with_polars, "duckdb": with_duckdb, "pyarrow": with_pyarrow}

#: What a peer says to a table that needs a feature to be read. delta-rs hands files to PyArrow only
#: when they need nothing but PyArrow; Polars lists what it knows.
REFUSALS = {
    **{("deltalake", feature): f"reader features: .*{feature}.* not yet supported"
       for feature in ("deletionVectors", "columnMapping", "v2Checkpoint", "typeWidening")},
    **{("polars", feature): f"requires reader features .*{feature}.* polars does not support"
       for feature in ("columnMapping", "v2Checkpoint", "typeWidening")},
    # It reads the table as long as there is no file.
    ("polars", "variantType"): "LogicalType union has no variant set",
    ("delta-rs engine", "typeWidening"): r"Unsupported table features required: \[TypeWidening\]",
}


def refusal(reader, protocol, metadata, adds):
    """The pattern of the error that a reader must answer with, or None when it must read."""
    needed = features(protocol)
    if metadata["configuration"].get("delta.columnMapping.mode", "none") == "none":
        needed.discard("columnMapping")
    if not adds:
        needed.discard("variantType")
    for feature in sorted(needed):
        pattern = REFUSALS.get((reader, feature))
        if pattern:
            return feature, pattern
    return None


# MARK: Statistics


def leaves(fields, values, prefix=()):
    """(path, field, values) of the leaf columns of a file that may have statistics."""
    for name, (physical, field) in physical_names(fields).items():
        inner = values.get(physical)
        if inner is None:
            continue
        kind = field["type"]
        if isinstance(kind, dict) and kind["type"] == "struct":
            members = {}
            for position in range(inner.type.num_fields):
                member = inner.type.field(position).name
                members[member] = pa.chunked_array(
                    [c.field(position) if c.null_count == 0 else pa.compute.struct_field(
                        c, position) for c in inner.chunks], inner.type.field(position).type)
            yield from leaves(kind["fields"], members, prefix + (physical,))
        else:
            yield prefix + (physical,), field, inner


def at(statistics, path):
    for step in path:
        if not isinstance(statistics, dict) or step not in statistics:
            return None
        statistics = statistics[step]
    return statistics


def moment(text, zone):
    value = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return value if zone else value.replace(tzinfo=None)


def check_statistics(log, version):
    """Every live file: numbers of rows, NULLs and bounds in the log are those of its content.

    Returns how many bounds were compared."""
    _, metadata, adds = log.state(version)
    fields = json.loads(metadata["schemaString"])["fields"]
    compared = 0
    for add in adds:
        place = f"version {version}, {add['path']}"
        statistics = json.loads(add["stats"], parse_float=decimal.Decimal)
        content = pyarrow.parquet.read_table(log.file(add), partitioning=None)
        assert statistics["numRecords"] == content.num_rows, place
        assert add["size"] == os.path.getsize(log.file(add)), place
        values = {name: content.column(name) for name in content.column_names}
        for path, field, column in leaves(fields, values):
            where = f"{place}, {'.'.join(path)}"
            low, high = at(statistics.get("minValues"), path), at(statistics.get("maxValues"), path)
            nulls = at(statistics.get("nullCount"), path)
            if statistics.get("tightBounds", True) and nulls is not None:
                assert nulls == column.null_count, where
            found = [v for v in column.to_pylist()
                     if v is not None and not (isinstance(v, float) and math.isnan(v))]
            if low is None and high is None:
                continue
            assert found, f"{where}: bounds of nothing"
            compared += 1
            kind = field["type"]
            for bound, pick in ((low, min), (high, max)):
                if bound is None:  # the infinities, which JSON cannot say
                    assert kind in ("double", "float") and math.isinf(pick(found)) or \
                        kind == "string", where
                    continue
                check_bound(kind, bound, pick, found, where)
    return compared


def check_bound(kind, bound, pick, found, where):
    """`pick` is min or max: what the bound must be of the values `found`."""
    if kind == "string":
        # Cut to 32 characters; what is cut off a maximum is made good by a larger character.
        text = pick(found, key=str.encode)
        if pick is min:
            assert text.startswith(bound) and len(bound) == min(32, len(text)), where
        else:
            assert bound.encode() >= text.encode(), where
            assert bound == text if len(text) <= 32 else len(bound) <= 33, where
        return
    value = pick(found)
    if kind in ("timestamp", "timestamp_ntz"):
        zone = kind == "timestamp"
        if not isinstance(value, datetime.datetime):  # a date, before the type was widened
            value = datetime.datetime.combine(value, datetime.time())
        if zone and value.tzinfo is None:
            value = value.replace(tzinfo=datetime.timezone.utc)
        assert value - datetime.timedelta(milliseconds=1) < moment(bound, zone) <= value, where
    elif kind == "date":
        assert bound == value.isoformat(), where
    elif kind.startswith("decimal"):
        assert decimal.Decimal(str(bound)) == value, where
    elif kind in ("double", "float"):
        assert float(bound) == value, where
    else:
        assert bound == value, where


def check_listed(path, log, version):
    """What deltalake tells of the files is what the log says."""
    _, metadata, adds = log.state(version)
    mapped = metadata["configuration"].get("delta.columnMapping.mode", "none") != "none"
    listed = {row["path"]: row for row in pa.table(
        DeltaTable(path, version=version).get_add_actions(flatten=True)).to_pylist()}
    assert len(listed) == len(adds)
    for add in adds:
        row = listed.get(add["path"]) or listed[urllib.parse.unquote(add["path"])]
        statistics = json.loads(add["stats"])
        assert row["num_records"] == statistics["numRecords"]
        assert row["size_bytes"] == add["size"]
        if mapped:
            continue

        def kept(key, ours):
            # It shows only the columns that new files have statistics of.
            return row[key] if "delta.dataSkippingNumIndexedCols" not in metadata[
                "configuration"] else row.get(key, ours)

        for column, nulls in statistics.get("nullCount", {}).items():
            if isinstance(nulls, int):
                assert kept(f"null_count.{column}", nulls) == nulls, column
        for name, key in (("min", "minValues"), ("max", "maxValues")):
            for column, bound in statistics.get(key, {}).items():
                theirs = kept(f"{name}.{column}", bound)
                if isinstance(bound, int) or isinstance(bound, str) and isinstance(theirs, str):
                    assert theirs == bound, column


def check_history(path, mine):
    """deltalake's history is ours: operations and their parameters, newest first."""
    theirs = [(e["version"], e["operation"], e.get("operationParameters") or {})
              for e in DeltaTable(path).history()]
    def plain(parameters):
        return {k: v if isinstance(v, str) else json.dumps(v)
                for k, v in parameters.items() if v is not None}
    assert [(v, o, plain(p)) for v, o, p in theirs] == [(v, o, plain(p)) for v, o, p in mine]
