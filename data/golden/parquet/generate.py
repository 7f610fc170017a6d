"""Makes the Parquet files beside this script and the rows expected of them.

    python data/golden/parquet/generate.py

Needs pyarrow, polars and duckdb (the versions are in README.md). The expected rows are made of the
tables that are written, not of the files.
"""

import datetime
import decimal
import json
import math
import pathlib
import struct
import uuid

import duckdb
import polars
import pyarrow as pa
import pyarrow.parquet as pq

import canonical

HERE = pathlib.Path(__file__).parent
D = decimal.Decimal


# The name of the document with the rows of each file; equal documents are kept once.
INDEX = {}
DOCUMENTS = {}


def save_document(name, document):
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"
    if text not in DOCUMENTS:
        DOCUMENTS[text] = f"{name}.json"
        (HERE / f"{name}.json").write_text(text)
    INDEX[f"{name}.parquet"] = DOCUMENTS[text]


def save(name, table, types=None):
    save_document(name, canonical.document(table, types))


def spread(values, count=40):
    """`count` rows that repeat `values` with NULLs between."""
    return [None if row % 7 == 3 else values[row % len(values)] for row in range(count)]


def utc(*parts):
    return datetime.datetime(*parts, tzinfo=datetime.timezone.utc)


def flat_table():
    columns = {
        "boolean": (pa.bool_(), [True, False, False]),
        "int8": (pa.int8(), [-128, 127, 0]),
        "int16": (pa.int16(), [-32768, 32767, 5]),
        "int32": (pa.int32(), [-(2**31), 2**31 - 1, 17]),
        "int64": (pa.int64(), [-(2**63), 2**63 - 1, 4]),
        "uint8": (pa.uint8(), [255, 0, 200]),
        "uint16": (pa.uint16(), [65535, 0]),
        "uint32": (pa.uint32(), [2**32 - 1, 1]),
        "uint64": (pa.uint64(), [2**64 - 1, 2]),
        "float32": (pa.float32(), [0.5, -math.inf, math.nan, -0.0]),
        "float64": (pa.float64(), [0.1, 1e300, math.nan, math.inf]),
        "decimal5": (pa.decimal128(5, 2), [D("123.45"), D("-0.01")]),
        "decimal12": (pa.decimal128(12, 0), [D("999999999999"), D("-1")]),
        "decimal38": (pa.decimal128(38, 10), [D("12345678901234567890.0123456789"), D("-1")]),
        "text": (pa.string(), ["", "twelve bytes", "thirteen byte", "größer als zwölf ✓"]),
        "binary": (pa.binary(), [b"", b"\xff\x00\x80", bytes(range(40))]),
        "fixed": (pa.binary(3), [b"abc", b"\x00\x00\xff"]),
        "date": (pa.date32(), [datetime.date(1, 1, 1), datetime.date(9999, 12, 31)]),
        "time": (pa.time64("us"), [datetime.time(23, 59, 59, 999999), datetime.time(0)]),
        "millis": (pa.timestamp("ms"), [datetime.datetime(1969, 12, 31, 23, 59, 59, 999000)]),
        "micros": (pa.timestamp("us", "UTC"), [utc(2026, 10, 3, 4, 5, 6, 7), utc(1900, 1, 1)]),
        "nanos": (pa.timestamp("ns"), [-1, 1_700_000_000_123_456_789]),
    }
    return pa.table(
        {name: pa.array(spread(values), type=kind) for name, (kind, values) in columns.items()}
    )


def nested_table():
    point = pa.struct([("x", pa.float64()), ("label", pa.string())])
    columns = {
        "id": pa.array(range(12), type=pa.int64()),
        "list": pa.array([[1, None, 3], [], None, [4]] * 3, type=pa.list_(pa.int32())),
        "lists": pa.array(
            [[["a", None], [], None], None, [["a text longer than that"]], []] * 3,
            type=pa.list_(pa.list_(pa.string())),
        ),
        "struct": pa.array(
            [{"x": 1.5, "label": "one"}, None, {"x": None, "label": None}, {"x": -2, "label": ""}] * 3,
            type=point,
        ),
        "structs": pa.array(
            [[{"x": 1, "label": "a"}, None], None, [], [{"x": None, "label": "b"}]] * 3,
            type=pa.list_(point),
        ),
        "map": pa.array(
            [[("k", [1, 2]), ("l", None)], [], None, [("m", [])]] * 3,
            type=pa.map_(pa.string(), pa.list_(pa.int64())),
        ),
        "deep": pa.array(
            [{"a": {"b": [{"c": [[1]]}, {"c": None}]}}, {"a": None}, None, {"a": {"b": []}}] * 3,
            type=pa.struct(
                [("a", pa.struct([("b", pa.list_(pa.struct([("c", pa.list_(pa.list_(pa.int8())))])))]))]
            ),
        ),
    }
    return pa.table(columns)


def arrow_file(name, table, types=None, **options):
    options.setdefault("compression", "snappy")
    pq.write_table(table, HERE / f"{name}.parquet", store_schema=False, **options)
    save(name, table, types)


def from_pyarrow():
    flat = flat_table()
    arrow_file("pyarrow-flat", flat)
    arrow_file("pyarrow-flat-v2-zstd", flat, compression="zstd", data_page_version="2.0")
    arrow_file(
        "pyarrow-flat-plain-checksums", flat.select(["int32", "text", "boolean", "decimal38"]),
        compression="none", use_dictionary=False, write_page_checksum=True, data_page_size=64,
        write_batch_size=8,
    )
    arrow_file("pyarrow-gzip", flat.select(["int64", "text"]), compression="gzip")
    arrow_file("pyarrow-lz4raw", flat.select(["int64", "text"]), compression="lz4")
    arrow_file(
        "pyarrow-decimal-integers", flat.select(["decimal5", "decimal12", "decimal38"]),
        store_decimal_as_integer=True,
    )
    arrow_file(
        "pyarrow-int96", flat.select(["micros", "nanos"]),
        {"micros": "timestamp with time zone", "nanos": "timestamp with time zone"},
        use_deprecated_int96_timestamps=True,
    )
    texts = [f"key-{row:05d}-{row * row % 97}" for row in range(150)]
    deltas = pa.table(
        {
            "int32": pa.array([None if r % 11 == 5 else r * 37 % 1000 - 500 for r in range(150)], pa.int32()),
            "int64": pa.array([(-1) ** r * 2 ** (r % 63) for r in range(150)], pa.int64()),
            "length": pa.array(texts),
            "prefix": pa.array([None if r % 13 == 1 else t for r, t in enumerate(texts)]),
            "fixed": pa.array([t.encode()[:9] for t in texts], pa.binary(9)),
            "float32": pa.array([r / 8 for r in range(150)], pa.float32()),
            "float64": pa.array([None if r % 5 == 0 else r / 3 for r in range(150)], pa.float64()),
            "split32": pa.array([r * 65537 for r in range(150)], pa.int32()),
            "boolean": pa.array([r % 3 == 0 for r in range(150)]),
        }
    )
    encodings = {
        "int32": "DELTA_BINARY_PACKED", "int64": "DELTA_BINARY_PACKED",
        "length": "DELTA_LENGTH_BYTE_ARRAY", "prefix": "DELTA_BYTE_ARRAY", "fixed": "DELTA_BYTE_ARRAY",
        "float32": "BYTE_STREAM_SPLIT", "float64": "BYTE_STREAM_SPLIT", "split32": "BYTE_STREAM_SPLIT",
        "boolean": "RLE",
    }
    for version in ("1.0", "2.0"):
        arrow_file(
            f"pyarrow-encodings-v{version[0]}", deltas, use_dictionary=False, column_encoding=encodings,
            data_page_version=version, data_page_size=512, write_batch_size=64,
        )
    nested = nested_table()
    arrow_file("pyarrow-nested", nested, data_page_size=32, write_batch_size=2)
    arrow_file("pyarrow-nested-v2", nested, data_page_version="2.0", data_page_size=32, write_batch_size=2)
    # The dictionary grows too large in the middle of the chunk, so later pages are plain.
    arrow_file(
        "pyarrow-fallback", pa.table({"text": texts, "number": [r * r for r in range(150)]}),
        dictionary_pagesize_limit=1000, data_page_size=512, write_batch_size=32,
    )
    arrow_file("pyarrow-groups", flat.select(["int64", "text", "date"]), row_group_size=11)
    arrow_file("pyarrow-empty", flat.slice(0, 0))
    nulls = pa.table(
        {name: pa.nulls(5, flat.schema.field(name).type) for name in ("int32", "text", "boolean", "decimal38")}
        | {"list": pa.nulls(5, pa.list_(pa.string())), "null": pa.nulls(5)}
    )
    arrow_file("pyarrow-nulls", nulls)
    arrow_file("pyarrow-nulls-v2", nulls, data_page_version="2.0")
    half = pa.table({"half": pa.array([0.5, None, -0.0, math.inf, math.nan, 6e-8, 65504], pa.float16())})
    arrow_file("pyarrow-float16", half)


def from_polars():
    flat = flat_table().drop_columns(["fixed", "uint64", "int8"])
    for name, table in (("polars-flat", flat), ("polars-nested", nested_table().drop_columns(["map"]))):
        frame = polars.from_arrow(table)
        frame.write_parquet(HERE / f"{name}.parquet", compression="zstd", row_group_size=16)
        save(name, frame.to_arrow(compat_level=polars.CompatLevel.oldest()))


DUCKDB = """
SELECT
    i AS id,
    CASE WHEN i % 7 <> 3 THEN i % 2 = 0 END AS flag,
    (i % 100)::TINYINT AS tiny,
    (i * 300)::USMALLINT AS unsigned16,
    CASE WHEN i % 5 <> 1 THEN (i * 1000003)::BIGINT END AS big,
    (i / 3)::DOUBLE AS number,
    (i / 4)::FLOAT AS real,
    (i * 1.01)::DECIMAL(9, 2) AS small_decimal,
    (i * 100000000000.01)::DECIMAL(30, 2) AS large_decimal,
    CASE WHEN i % 9 <> 2 THEN 'text ' || (i % 4) END AS low,
    'a text of some length ' || i AS high,
    ('\\xFF\\x00' || i)::BLOB AS bytes,
    DATE '2026-01-01' + i::INTEGER AS day,
    TIMESTAMP '2026-01-01 00:00:00.000001' + i * INTERVAL 1 HOUR AS local,
    (TIMESTAMP '2026-01-01' + i * INTERVAL 1 HOUR)::TIMESTAMPTZ AS instant,
    ('00000000-0000-4000-8000-' || lpad(i::VARCHAR, 12, '0'))::UUID AS uuid,
    INTERVAL (i) MONTH + INTERVAL (i) DAY + INTERVAL (i) SECOND AS span,
    CASE WHEN i % 6 <> 4 THEN [i, NULL, i + 1] END AS list,
    {'a': i, 'b': [{'c': 'x' || i}]} AS struct,
    MAP {'k': i, 'l': NULL} AS map
FROM range(40) t(i)
"""


def from_duckdb():
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET arrow_lossless_conversion = true")
    connection.execute(f"CREATE TABLE t AS {DUCKDB}")
    table = connection.execute("SELECT * FROM t").to_arrow_table()
    for name, options in (
        ("duckdb-v1", "COMPRESSION snappy"),
        ("duckdb-v2", "PARQUET_VERSION V2, COMPRESSION zstd"),
        ("duckdb-lz4raw", "COMPRESSION lz4_raw"),
    ):
        connection.execute(f"COPY t TO '{HERE}/{name}.parquet' (FORMAT parquet, {options})")
        save(name, table)


VARIANTS = """
SELECT i AS id, CASE i % 5
    WHEN 0 THEN NULL
    WHEN 1 THEN (i::INTEGER)::VARIANT
    WHEN 2 THEN ('text ' || i)::VARIANT
    WHEN 3 THEN {'a': i, 'b': ['x', 'y'], 'c': {'d': i / 2.0}}::VARIANT
    ELSE [1, 2, i]::VARIANT END AS v
FROM range(15) r(i)
"""


def variants_from_duckdb():
    """Not in index.json: the rows are said by the test, as JSON."""
    connection = duckdb.connect()
    for name, options in (
        ("variant-duckdb", ""),
        ("variant-duckdb-shredded", ", SHREDDING {'v': 'STRUCT(a BIGINT, c STRUCT(d DOUBLE))'}"),
    ):
        connection.execute(
            f"COPY ({VARIANTS}) TO '{HERE}/{name}.parquet' (FORMAT parquet{options})")


# --- Files that no current writer makes: thrift by hand.


def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def zigzag(number):
    return varint(number << 1 if number >= 0 else (-number << 1) - 1)


def thrift(fields):
    """A structure of (id, value): int = i32, ("i64", n), str, list of int, str or field lists."""
    out = bytearray()
    last = 0
    for number, content in fields:
        kind, data = thrift_value(content)
        out.append((number - last) << 4 | kind)
        out += data
        last = number
    return bytes(out) + b"\x00"


def thrift_value(content):
    if isinstance(content, int):
        return 5, zigzag(content)
    if isinstance(content, tuple):
        return 6, zigzag(content[1])
    if isinstance(content, str):
        return 8, varint(len(content.encode())) + content.encode()
    if isinstance(content, dict):
        return 12, thrift(sorted(content.items()))
    items = [thrift_value(item) for item in content]
    kind = items[0][0] if items else 12
    head = bytes([len(items) << 4 | kind]) if len(items) < 15 else bytes([0xF0 | kind]) + varint(len(items))
    return 9, head + b"".join(data for _, data in items)


INT32, FLOAT, DOUBLE, BYTE_ARRAY = 1, 4, 5, 6
REQUIRED, OPTIONAL, REPEATED = 0, 1, 2


def group(name, repetition, children, converted=None):
    element = {4: name, 5: children}
    if repetition is not None:
        element[3] = repetition
    if converted is not None:
        element[6] = converted
    return element


def leaf(name, repetition, kind, converted=None):
    element = {1: kind, 3: repetition, 4: name}
    if converted is not None:
        element[6] = converted
    return element


def levels(values, maximum, packed=False):
    width = maximum.bit_length()
    if packed:
        bits = "".join(format(value, f"0{width}b") for value in values)
        bits += "0" * (-len(bits) % 8)
        return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))
    runs = b"".join(varint(1 << 1) + bytes([value]) for value in values)
    return struct.pack("<I", len(runs)) + runs


def by_hand(name, elements, chunks, rows, columns, packed=False):
    """One row group. A chunk is (kind, path, rep levels, rep max, def levels, def max, values);
    values may be an `Encoded` page."""
    out = bytearray(b"PAR1")
    metadata = []
    for kind, path, repetitions, rep_max, definitions, def_max, values in chunks:
        start = len(out)
        body = b""
        if rep_max:
            body += levels(repetitions, rep_max, packed)
        if def_max:
            body += levels(definitions, def_max, packed)
        kept = 0
        if isinstance(values, Encoded):
            kept, body = values.encoding, body + values.data
        else:
            for value in values:
                body += struct.pack("<i", value) if kind == INT32 else struct.pack("<I", len(value)) + value
        encoding = 4 if packed else 3
        count = len(definitions)
        page = {1: 0, 2: len(body), 3: len(body), 5: {1: count, 2: kept, 3: encoding, 4: encoding}}
        out += thrift(sorted(page.items())) + body
        size = len(out) - start
        metadata.append(
            {
                2: ("i64", start),
                3: {
                    1: kind, 2: [kept, encoding], 3: path, 4: 0, 5: ("i64", count), 6: ("i64", size),
                    7: ("i64", size), 9: ("i64", start),
                },
            }
        )
    footer = {
        1: 1,
        2: elements,
        3: ("i64", len(rows)),
        4: [{1: metadata, 2: ("i64", len(out) - 4), 3: ("i64", len(rows))}],
        6: "by hand",
    }
    data = thrift(sorted(footer.items()))
    out += data + struct.pack("<I", len(data)) + b"PAR1"
    (HERE / f"{name}.parquet").write_bytes(out)
    save_document(name, {"columns": [{"name": n, "type": k} for n, k in columns], "rows": rows})


LIST, MAP, MAP_KEY_VALUE, UTF8 = 3, 1, 2, 0


class Encoded:
    def __init__(self, encoding, data):
        self.encoding, self.data = encoding, data


def single(value):
    """The nearest float of 32 bits."""
    return struct.unpack("<f", struct.pack("<f", value))[0]


def alp_vector(values, is_double, exponent, factor):
    """One vector by the letter of AlpEncoding.md: what does not come back exactly is an exception."""
    exact = (lambda x: x) if is_double else single
    form, bits = ("<d", 64) if is_double else ("<f", 32)
    power, inverse = exact(float(f"1e{factor}")), exact(float(f"1e-{exponent}"))
    integers, exceptions = [], []
    for place, value in enumerate(values):
        integer = None
        if math.isfinite(value):
            integer = round(value * 10**exponent / 10**factor)
            back = exact(exact(exact(float(integer)) * power) * inverse)
            if not -(2 ** (bits - 1)) <= integer < 2 ** (bits - 1) or struct.pack(form, back) != struct.pack(
                form, value
            ):
                integer = None
        if integer is None:
            exceptions.append((place, value))
        integers.append(integer)
    stand_in = next((i for i in integers if i is not None), 0)
    integers = [stand_in if i is None else i for i in integers]
    frame = min(integers)
    width = (max(integers) - frame).bit_length()
    packed = sum((integer - frame) << (width * place) for place, integer in enumerate(integers))
    return (
        struct.pack("<BBH", exponent, factor, len(exceptions))
        + struct.pack("<q" if is_double else "<i", frame)
        + bytes([width])
        + packed.to_bytes((len(values) * width + 7) // 8, "little")
        + b"".join(struct.pack("<H", place) for place, _ in exceptions)
        + b"".join(struct.pack(form, value) for _, value in exceptions)
    )


def alp_page(values, is_double, parameters, log_vector=3):
    size = 1 << log_vector
    parts = [values[i : i + size] for i in range(0, len(values), size)]
    vectors = [alp_vector(part, is_double, *choice) for part, choice in zip(parts, parameters, strict=True)]
    offsets, position = b"", 4 * len(vectors)
    for vector in vectors:
        offsets += struct.pack("<I", position)
        position += len(vector)
    return Encoded(10, struct.pack("<BBBi", 0, 0, log_vector, len(values)) + offsets + b"".join(vectors))


def alp():
    """ALP pages, which no writer here makes yet."""
    inf, nan = math.inf, math.nan
    example = [1500.0, nan, 2500.0, 333.5]
    # The specification's worked example.
    packed = 11665 | 11665 << 15 | 21665 << 30 | 0 << 45
    assert alp_vector(example, True, 4, 3) == (
        struct.pack("<BBHqB", 4, 3, 1, 3335, 15) + packed.to_bytes(8, "little") + struct.pack("<Hd", 1, nan)
    )
    doubles = (
        example + [0.1, 0.2, -0.3, 12.5]  # exceptions of NaN and of digits
        + [7.25] * 8  # no bits
        + [-9.2e18, 9.2e18, 0.0, -0.0, 1.0, inf, -inf, 5e-324]  # 64 bits; signs and ends
        + [nan] * 8  # nothing but exceptions
        + [12345.678, -0.001, 99.999]  # a short vector
    )
    singles = [single(x) for x in (
        [1.5, 2.25, -3.125, 0.0, -0.0, nan, inf, 1e30] + [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
        + [-2147483648.0, 2147483520.0, 1, 2, 3, 4, 5, 6] + [3.5] * 8 + [16777216.0, -16777216.0, 9.75]
    )]
    choices = [(4, 3), (2, 0), (0, 0), (18, 18), (3, 0)]
    single_choices = [(3, 0), (10, 9), (0, 0), (10, 10), (2, 0)]
    rows, places = [], []
    for row in range(len(doubles) + 5):
        is_null = row % 8 == 5
        places.append(0 if is_null else 1)
        index = sum(places) - 1
        rows.append([None, None] if is_null else [exact_float(doubles[index]), exact_float(singles[index])])
    assert sum(places) == len(doubles) == len(singles)
    elements = [group("root", None, 2), leaf("d", OPTIONAL, DOUBLE), leaf("f", OPTIONAL, FLOAT)]
    chunks = [
        (DOUBLE, ["d"], [], 0, places, 1, alp_page(doubles, True, choices)),
        (FLOAT, ["f"], [], 0, places, 1, alp_page(singles, False, single_choices)),
    ]
    by_hand("handmade-alp", elements, chunks, rows, [("d", "double precision"), ("f", "real")])
    # One vector of the usual size, and of all its values.
    many = [round(n * 0.01 - 5, 2) for n in range(1000)]
    by_hand(
        "handmade-alp-required", [group("root", None, 1), leaf("d", REQUIRED, DOUBLE)],
        [(DOUBLE, ["d"], [], 0, [0] * 1000, 0, alp_page(many, True, [(14, 12)], 10))],
        [[exact_float(x)] for x in many], [("d", "double precision")])


def exact_float(value):
    return "NaN" if math.isnan(value) else struct.pack(">d", value).hex()


def handmade():
    # Rows [1, 2], [], NULL, [3] in every shape that lists once had; un-annotated ones have no NULL.
    reps, defs, values = [0, 1, 0, 0, 0], [2, 2, 1, 0, 2], [1, 2, 3]
    wanted = [[1, 2], [], None, [3]]
    single = [[[x] for x in row] if row is not None else None for row in wanted]
    pair = [[[x, x] for x in row] if row is not None else None for row in wanted]
    bare = [1, 2, 0, 3]
    elements = [group("root", None, 7)]
    chunks = []

    def add(path, rep=reps, definition=defs, definition_max=2, content=values, rep_max=1):
        chunks.append((INT32, path, rep, rep_max, definition, definition_max, content))

    # 1: a repeated leaf is the element
    elements += [group("leaf", OPTIONAL, 1, LIST), leaf("element", REPEATED, INT32)]
    add(["leaf", "element"])
    # 2: several members are the element
    elements += [
        group("pair", OPTIONAL, 1, LIST), group("element", REPEATED, 2),
        leaf("a", REQUIRED, INT32), leaf("b", REQUIRED, INT32),
    ]
    add(["pair", "element", "a"])
    add(["pair", "element", "b"])
    # 3: one member that is repeated itself
    elements += [
        group("inner", OPTIONAL, 1, LIST), group("element", REPEATED, 1), leaf("items", REPEATED, INT32),
    ]
    add(["inner", "element", "items"], [0, 2, 0, 0, 0], [3, 3, 1, 0, 3], 3, values, 2)
    # 4: named as the element
    elements += [group("named", OPTIONAL, 1, LIST), group("array", REPEATED, 1), leaf("x", REQUIRED, INT32)]
    add(["named", "array", "x"])
    elements += [
        group("tuple", OPTIONAL, 1, LIST), group("tuple_tuple", REPEATED, 1), leaf("x", REQUIRED, INT32),
    ]
    add(["tuple", "tuple_tuple", "x"])
    # 5: else the inner field
    elements += [group("bag", OPTIONAL, 1, LIST), group("bag", REPEATED, 1), leaf("x", REQUIRED, INT32)]
    add(["bag", "bag", "x"])
    # no annotation
    elements += [leaf("bare", REPEATED, INT32)]
    add(["bare"], [0, 1, 0, 0, 0], [1, 1, 0, 0, 1], 1)
    inner = [[[[1, 2]]], [], None, [[[3]]]]
    rows = [
        [wanted[r], pair[r], inner[r], single[r], single[r], wanted[r], wanted[r] or []] for r in range(4)
    ]
    names = [
        ("leaf", "integer[]"), ("pair", "record[]"), ("inner", "record[]"), ("named", "record[]"),
        ("tuple", "record[]"), ("bag", "integer[]"), ("bare", "integer[]"),
    ]
    for packed in (False, True):
        by_hand("handmade-lists" + ("-bitpacked" if packed else ""), elements, chunks, rows, names, packed)

    # A map in the old spelling, and one without values: the set of its keys.
    elements = [
        group("root", None, 2),
        group("old", OPTIONAL, 1, MAP_KEY_VALUE), group("map", REPEATED, 2),
        leaf("key", REQUIRED, BYTE_ARRAY, UTF8), leaf("value", OPTIONAL, INT32),
        group("set", OPTIONAL, 1, MAP), group("key_value", REPEATED, 1), leaf("key", REQUIRED, INT32),
    ]
    chunks = [
        (BYTE_ARRAY, ["old", "map", "key"], [0, 1, 0, 0], 1, [2, 2, 1, 0], 2, [b"a", b"b"]),
        (INT32, ["old", "map", "value"], [0, 1, 0, 0], 1, [3, 2, 1, 0], 3, [7]),
        (INT32, ["set", "key_value", "key"], [0, 1, 0, 0], 1, [2, 2, 1, 0], 2, [5, 6]),
    ]
    rows = [[[["a", 7], ["b", None]], [5, 6]], [[], []], [None, None]]
    by_hand("handmade-maps", elements, chunks, rows, [("old", "map"), ("set", "integer[]")])


for old in list(HERE.glob("*.parquet")) + list(HERE.glob("*.json")):
    old.unlink()
from_pyarrow()
from_polars()
from_duckdb()
variants_from_duckdb()
handmade()
alp()
(HERE / "index.json").write_text(json.dumps(INDEX, indent=1) + "\n")
