"""The public files of github.com/apache/parquet-testing, read by Weir and by PyArrow.

Skipped unless WEIR_PARQUET_TESTING names a checkout: `make parquet-testing`. Every good file must
have the rows that PyArrow finds, every bad one must end in an error that names what is wrong, and
no file may take long or much memory.
"""
import json
import os
import pathlib
import resource
import struct
import subprocess
import sys

import pytest
from conftest import ROOT, WEIR

sys.path.insert(0, str(ROOT / "data/golden/parquet"))
FOLDER = os.environ.get("WEIR_PARQUET_TESTING")
PLACE = pathlib.Path(FOLDER) if FOLDER else None
pytestmark = pytest.mark.skipif(
    PLACE is None or not (PLACE / "data").is_dir(),
    reason="WEIR_PARQUET_TESTING does not name a checkout of github.com/apache/parquet-testing; "
    "`make parquet-testing` fetches one")
MEMORY_BYTES = 1 << 31
SECONDS = 30


def files(folder, suffix=".parquet"):
    if PLACE is None:
        return []
    return sorted(path.name for path in (PLACE / folder).glob("*" + suffix))


def weir_parquet(*words):
    """Runs `weir parquet …` with little memory; a trap is never an answer."""
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    done = subprocess.run(
        [WEIR, "parquet", *map(str, words)], capture_output=True, timeout=SECONDS,
        preexec_fn=limit, env={**os.environ, "SWIFT_BACKTRACE": "enable=no"})
    assert done.returncode in (0, 1), f"{words} ended with {done.returncode}: {done.stderr[-500:]}"
    return done


def rows(path):
    done = weir_parquet("rows", path, "--exact", "-o", "json")
    document = json.loads(done.stdout)
    assert done.returncode == 0, document
    return document


def refusal(path):
    """The error of a file that must not be read."""
    done = weir_parquet("check", path, "-o", "json")
    assert done.returncode == 1, f"{path.name} was read: {done.stdout[:200]}"
    document = json.loads(done.stdout)
    return document["error"]["code"], document["error"]["message"]


# Files of data/ that are not compared, with the reason: docs/operating/compatibility.md has the same.
REFUSED = {
    "datapage_v1-corrupt-checksum.parquet": "page checksum mismatch",
    "rle-dict-uncompressed-corrupt-checksum.parquet": "page checksum mismatch",
    # One page of a gibibyte: four times what a reader should allocate at once.
    "large_string_map.brotli.parquet": "the limit is 268435456",
}


@pytest.mark.parametrize("name", files("data"))
def test_a_good_file_has_the_rows_that_pyarrow_finds(name):
    path = PLACE / "data" / name
    if name in REFUSED:
        assert REFUSED[name] in refusal(path)[1]
        return
    ours = rows(path)
    if name == "incorrect_map_schema.parquet":
        # PyArrow refuses a map whose keys are optional; DuckDB and we read it.
        assert ours["rows"] == [[[["name", "report"], ["parent", "another"]]]] or \
            ours["rows"] == [[[["parent", "another"], ["name", "report"]]]]
        return
    if name == "int96_from_spark.parquet":
        # The file's description has the values; PyArrow's wrap in the year 290000.
        assert ours["rows"] == [
            [1704141296123456], [1704070800000000], [253402225200000000], [1735599600000000],
            [None], [9089380393200000000]]
        return
    theirs = pyarrow_document(path)
    assert ours["columns"] == theirs["columns"]
    assert len(ours["rows"]) == len(theirs["rows"])
    for number, (a, b) in enumerate(zip(ours["rows"], theirs["rows"])):
        assert a == b, f"row {number}"
    done = weir_parquet("check", path, "-o", "json")
    assert done.returncode == 0, done.stdout[-500:]


@pytest.mark.parametrize("name", files("data/geospatial"))
def test_a_geospatial_file_has_the_rows_that_pyarrow_finds(name):
    path = PLACE / "data/geospatial" / name
    assert rows(path)["rows"] == pyarrow_document(path)["rows"]


def pyarrow_document(path):
    import canonical
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    table = file.read()
    document = canonical.document(table)
    parquet = [file.schema.column(index) for index in range(len(file.schema))]
    for column in document["columns"]:
        leaf = next((one for one in parquet if one.path == column["name"]), None)
        if leaf is not None and leaf.physical_type == "INT96":
            # Spark and Impala wrote instants this way; PyArrow takes them for local times.
            column["type"] = "timestamp with time zone"
    return document


@pytest.mark.parametrize("name", files("bad_data"))
def test_a_bad_file_ends_in_an_error(name):
    path = PLACE / "bad_data" / name
    if name == "ARROW-GH-43605.parquet":
        # Codes of no bits are legal when the dictionary has one value, as PyArrow says, too.
        assert rows(path)["rows"] == pyarrow_document(path)["rows"]
        return
    code, message = refusal(path)
    assert code == "parquet.corrupt" and "damaged at position" in message


@pytest.mark.parametrize(
    "name", [f"{folder}{name}" for folder in ("", "aes256/")
             for name in files(f"data/{folder}", ".encrypted")])
def test_an_encrypted_file_is_refused_by_name(name):
    code, message = refusal(PLACE / "data" / name)
    assert code == "parquet.unsupported"
    assert "PARE" in message or "ENCRYPTION_WITH_" in message


# Shredded variants

def cases():
    if PLACE is None:
        return []
    listed = json.loads((PLACE / "shredded_variant/cases.json").read_text())
    return [case for case in listed if "parquet_file" in case]


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["parquet_file"])
def test_a_shredded_variant_is_put_together_again(case):
    folder = PLACE / "shredded_variant"
    path = folder / case["parquet_file"]
    if "error_message" in case:
        assert refusal(path)[0] in ("parquet.corrupt", "parquet.unsupported")
        return
    if "INVALID" in path.name:
        # The format leaves it to the reader: refused, or the shredded value wins.
        if weir_parquet("check", path).returncode == 1:
            return
    names = case.get("variant_files") or [case["variant_file"]]
    found = rows(path)
    place = [column["type"] for column in found["columns"]].index("variant")
    assert len(found["rows"]) == len(names)
    for row, name in zip(found["rows"], names):
        variant = row[place]
        if name is None:
            assert variant is None
            continue
        wanted = variant_pair((folder / name).read_bytes())
        metadata, value = (bytes.fromhex(variant[key]) for key in ("metadata", "value"))
        assert decode(metadata, value) == decode(*wanted)


def variant_pair(content):
    """Metadata and value, one behind the other."""
    width = (content[0] >> 6) + 1
    count = number(content, 1, width)
    end = 1 + width * (count + 2)
    end += number(content, end - width, width)
    return content[:end], content[end:]


def number(content, position, width):
    return int.from_bytes(content[position:position + width], "little")


def decode(metadata, value):
    """A variant as a Python value with its type."""
    width = (metadata[0] >> 6) + 1
    count = number(metadata, 1, width)
    base = 1 + width * (count + 2)
    offsets = [number(metadata, 1 + width * (index + 1), width) for index in range(count + 1)]
    names = [metadata[base + a:base + b].decode() for a, b in zip(offsets, offsets[1:])]
    return node(value, names)


PRIMITIVES = {0: 0, 1: 0, 2: 0, 3: 1, 4: 2, 5: 4, 6: 8, 7: 8, 8: 5, 9: 9, 10: 17, 11: 4, 12: 8,
              13: 8, 14: 4, 17: 8, 18: 8, 19: 8, 20: 16}


def node(value, names):
    kind, detail = value[0] & 3, value[0] >> 2
    if kind == 0:
        if detail in (15, 16):
            length = number(value, 1, 4)
            return ("text" if detail == 16 else "binary", value[5:5 + length])
        return (detail, value[1:1 + PRIMITIVES[detail]])
    if kind == 1:
        return ("text", value[1:1 + detail])
    offset_bytes = (detail & 3) + 1
    name_bytes = (detail >> 2 & 3) + 1 if kind == 2 else 0
    size = 4 if detail >> (4 if kind == 2 else 2) & 1 else 1
    count = number(value, 1, size)
    place = 1 + size
    numbers = [number(value, place + index * name_bytes, name_bytes) for index in range(count)]
    place += count * name_bytes
    offsets = [number(value, place + index * offset_bytes, offset_bytes)
               for index in range(count + 1)]
    place += (count + 1) * offset_bytes
    parts = [node(value[place + offset:], names) for offset in offsets[:count]]
    if kind == 3:
        return parts
    keys = [names[index] for index in numbers]
    assert keys == sorted(keys, key=lambda key: key.encode()), keys
    return dict(zip(keys, parts))


def primitives():
    return files("variant", ".value")


@pytest.mark.parametrize("name", primitives())
def test_the_decoder_of_this_test_understands_the_public_variants(name):
    folder = PLACE / "variant"
    metadata = (folder / name.replace(".value", ".metadata")).read_bytes()
    value = (folder / name).read_bytes()
    decode(metadata, value)
    if name == "primitive_int32.value":
        assert decode(metadata, value) == (5, struct.pack("<i", 123456))
