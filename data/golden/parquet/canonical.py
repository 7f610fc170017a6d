"""Rows of a pyarrow table as JSON that does not depend on who reads them.

null, booleans and integers as they are; floats as the hexadecimal bits of a double ("NaN" for all
NaN); decimals as text with all digits of their scale; binary and UUID as hexadecimal text; dates as
days and timestamps as microseconds (rounded down) since 1970-01-01; intervals as
[months, days, microseconds]; lists and structures as arrays; maps as arrays of [key, value].
"""

import struct
import uuid

import pyarrow as pa
import pyarrow.types as t


def sql_name(kind):
    """The name Weir gives to a column of this Arrow type."""
    if isinstance(kind, pa.BaseExtensionType):
        if kind.extension_name == "arrow.uuid":
            return "uuid"
        if kind.extension_name == "arrow.json":
            return "jsonb"
        if kind.extension_name == "arrow.bool8":
            return "boolean"
        kind = kind.storage_type
    if t.is_dictionary(kind):
        return sql_name(kind.value_type)
    if t.is_boolean(kind):
        return "boolean"
    if t.is_int8(kind) or t.is_int16(kind) or t.is_uint8(kind):
        return "smallint"
    if t.is_int32(kind) or t.is_uint16(kind) or t.is_time32(kind):
        return "integer"
    if t.is_int64(kind) or t.is_uint32(kind) or t.is_time64(kind) or t.is_duration(kind):
        return "bigint"
    if t.is_uint64(kind):
        return "numeric(20,0)"
    if t.is_float16(kind) or t.is_float32(kind):
        return "real"
    if t.is_float64(kind):
        return "double precision"
    if t.is_decimal(kind):
        return f"numeric({kind.precision},{kind.scale})"
    if t.is_string(kind) or t.is_large_string(kind) or t.is_string_view(kind):
        return "text"
    if t.is_date(kind):
        return "date"
    if t.is_timestamp(kind):
        zone = "with" if kind.tz else "without"
        return f"timestamp {zone} time zone"
    if t.is_list(kind) or t.is_large_list(kind) or t.is_fixed_size_list(kind):
        return sql_name(kind.value_type) + "[]"
    if t.is_struct(kind):
        return "record"
    if t.is_map(kind):
        return "map"
    if t.is_null(kind):
        return "unknown"
    if t.is_interval(kind):
        return "interval"
    return "bytea"


def bits(number):
    if number != number:
        return "NaN"
    return struct.pack(">d", number).hex()


UNITS = {"s": (1_000_000, 1), "ms": (1000, 1), "us": (1, 1), "ns": (1, 1000)}


def plain(number, scale):
    """A decimal with exactly `scale` digits behind the point."""
    sign, digits, exponent = number.as_tuple()
    value = int("".join(map(str, digits))) * 10 ** (exponent + scale)
    text = str(value).rjust(scale + 1, "0")
    if scale:
        text = text[:-scale] + "." + text[-scale:]
    return ("-" if sign and value else "") + text


def value(scalar):
    kind = scalar.type
    if isinstance(scalar, pa.ExtensionScalar):
        if not scalar.is_valid:
            return None
        if kind.extension_name == "arrow.json":
            return scalar.value.as_py()
        if kind.extension_name == "arrow.bool8":
            return bool(scalar.as_py())
        return value(scalar.value)
    if not scalar.is_valid:
        return None
    if t.is_dictionary(kind):
        return value(scalar.value)
    if t.is_floating(kind):
        return bits(float(scalar.as_py()))
    if t.is_decimal(kind):
        return plain(scalar.as_py(), kind.scale)
    if t.is_date64(kind):
        return scalar.value // 86_400_000
    if t.is_date(kind) or t.is_time(kind) or t.is_duration(kind):
        return scalar.value
    if t.is_timestamp(kind):
        times, divisor = UNITS[kind.unit]
        return scalar.value * times // divisor
    if t.is_map(kind):
        items = scalar.values
        return [[value(item["key"]), value(item["value"])] for item in items or []]
    if t.is_list(kind) or t.is_large_list(kind) or t.is_fixed_size_list(kind):
        return [value(item) for item in scalar.values]
    if t.is_struct(kind):
        return [value(scalar[index]) for index in range(kind.num_fields)]
    if t.is_interval(kind):
        months, days, nanoseconds = scalar.as_py()
        return [months, days, nanoseconds // 1000]
    if t.is_uint64(kind):
        return str(scalar.as_py())
    plain_value = scalar.as_py()
    if isinstance(plain_value, uuid.UUID):
        return plain_value.hex
    if isinstance(plain_value, bytes):
        return plain_value.hex()
    return plain_value


def document(table, types=None):
    """Columns and rows of `table`; `types` overrides the names of types by column."""
    columns = [
        {"name": field.name, "type": (types or {}).get(field.name, sql_name(field.type))}
        for field in table.schema
    ]
    data = [[value(scalar) for scalar in column] for column in table.columns]
    rows = [[column[row] for column in data] for row in range(table.num_rows)]
    return {"columns": columns, "rows": rows}
