#!/usr/bin/env python3
"""Writes the characters whose compatibility decomposition is another than their canonical one, from the tables of
Python's unicodedata (Unicode 14 in Debian 12, as in PostgreSQL 15)."""
import pathlib
import unicodedata

TARGET = pathlib.Path(__file__).parent.parent / "Sources/Lake/Engine/Kernels/CompatibilityForms.generated.swift"

entries = []
last = None
for code in range(0x110000):
    if 0xD800 <= code < 0xE000:
        continue
    full = unicodedata.normalize("NFKD", chr(code))
    if full == unicodedata.normalize("NFD", chr(code)):
        continue
    parts = "+".join(format(ord(part), "X") for part in full)
    entries.append(parts if last == code - 1 else f"{code:X}:{parts}")
    last = code

lines, line = [], ""
for entry in entries:
    if len(line) + len(entry) + 1 > 88:
        lines.append(line)
        line = ""
    line += ("" if not line else " ") + entry
lines.append(line)
text = "\n".join("        " + line for line in lines)
TARGET.write_text(f'''// Written by scripts/compatibility-forms.py from Unicode {unicodedata.unidata_version}: not to be changed by hand.

extension CompatibilityForms {{
    /// `code:scalar+scalar…` in hexadecimal; without a code it is the one behind that before.
    static let source = """
{text}
        """
}}
''')
