"""Calls of every function with ordinary, empty, extreme and wrong arguments, for both databases.

A template has places such as {t}: each is filled from the pool of that letter. Of all ways to fill
a template at most `LIMIT` are taken, the same in every run.
"""
import itertools
import random
import re

LIMIT = 36

POOLS = {
    # Texts: plain, empty, NULL, letters outside of ASCII, delimiters, blanks, patterns, quotes.
    "t": ["'abc'", "''", "NULL::text", "'Ünï ☃ cöde'", "'a,b,,c'", "'  pad '", "'100%'",
          "'O''Reilly'", "E'back\\\\slash'", "'Hello World'", "'aAbBcC123'"],
    # The same within ASCII: the databases of the test change other letters in different locales.
    "T": ["'abc'", "''", "NULL::text", "'  pad '", "'O''Reilly'", "'Hello WORLD 2x y'"],
    "s": ["'b'", "''", "NULL::text", "','", "'ï'", "'xyz'"],
    "i": ["0", "1", "-1", "3", "NULL::int", "7", "-5"],
    "I": ["0", "1", "-1", "2147483647", "-2147483648", "NULL::int", "12"],
    "h": ["0::smallint", "-1::smallint", "32767::smallint", "NULL::smallint", "5::smallint"],
    "l": ["0::bigint", "1::bigint", "-1::bigint", "9223372036854775807",
          "(-9223372036854775807 - 1)", "NULL::bigint", "462::bigint"],
    "f": ["0::float8", "1::float8", "-1::float8", "0.5::float8", "NULL::float8", "1e10::float8",
          "'NaN'::float8", "'Infinity'::float8", "-2.5::float8", "30::float8", "90::float8"],
    "n": ["0.0", "1.5", "-1.5", "2.50", "NULL::numeric", "12345.6789", "-0.001", "99.995"],
    "b": ["'\\xdeadbeef'::bytea", "''::bytea", "NULL::bytea", "'\\x00ff'::bytea", "'abc'::bytea"],
    "c": ["'a'::bytea", "''::bytea", "NULL::bytea", "'\\xff'::bytea"],
    "B": ["true", "false", "NULL::boolean"],
    "d": ["DATE '2024-02-29'", "DATE '1999-12-31'", "NULL::date", "DATE '0044-03-15 BC'"],
    "m": ["TIMESTAMP '2024-02-29 13:14:15.678901'", "TIMESTAMP '1999-12-31 23:59:59.999999'",
          "NULL::timestamp", "TIMESTAMP '2001-02-16 20:38:40'", "TIMESTAMP '0044-03-15 12:00 BC'"],
    "z": ["TIMESTAMPTZ '2024-02-29 13:14:15.678901+00'", "TIMESTAMPTZ '2024-07-01 00:30:00+02'",
          "NULL::timestamptz", "TIMESTAMPTZ '2024-03-31 00:59:59+00'",
          "TIMESTAMPTZ '2024-10-27 01:30:00+00'", "TIMESTAMPTZ '1900-01-01 00:00:00+00'"],
    "v": ["INTERVAL '1 day'", "INTERVAL '1 year 2 mons 3 days 04:05:06.789'",
          "INTERVAL '-1 mons +40 days -25:00:00'", "NULL::interval", "INTERVAL '0'",
          "INTERVAL '35 days 27 hours'"],
    "Z": ["'Europe/Berlin'", "'America/New_York'", "'UTC'", "'Asia/Kolkata'", "NULL::text",
          "'EST'", "'nowhere'", "'+02:30'", "'Australia/Lord_Howe'", "'CST6CDT'"],
    "j": ["'{\"a\": 1, \"b\": [1, 2, {\"c\": null}]}'::jsonb", "'[1, \"two\", null, [3]]'::jsonb",
          "'\"text\"'::jsonb", "NULL::jsonb", "'{}'::jsonb", "'[]'::jsonb", "'12.5'::jsonb",
          "'null'::jsonb", "'{\"a\": {\"b\": {\"c\": 1}}}'::jsonb"],
    "p": ["'{a}'::text[]", "'{b,0}'::text[]", "'{b,2,c}'::text[]", "'{}'::text[]",
          "NULL::text[]", "'{a,b,c}'::text[]", "'{0}'::text[]", "'{-1}'::text[]",
          "'{zz,1}'::text[]"],
    "k": ["'a'", "'zz'", "''", "NULL::text", "'two'"],
    "a": ["ARRAY[1,2,3]", "ARRAY[2,2,NULL]", "'{}'::int[]", "NULL::int[]", "ARRAY[7]"],
    "A": ["ARRAY['a','b',NULL]", "ARRAY['','ï']", "'{}'::text[]", "NULL::text[]"],
    "D": ["ARRAY[[1,2],[3,4]]", "ARRAY[[1],[2],[3]]", "ARRAY[1,2]"],
    "x": ["'b'", "'^a'", "'[a-z]+'", "'(b)(c)?'", "'W'", "NULL::text", "'\\d'"],
    "X": ["''", "'i'", "'g'", "'gi'", "'k'", "NULL::text"],
    "N": ["'999'", "'0000'", "'99.99'", "'FM999.99'", "'S999D99'", "'999MI'", "'9G999D0'", "'PL99'",
          "'999PR'", "'L99'", "'9.99EEEE'", "'RN'", "'FMRN'", "'99th'", "'FM0.0'", "'99V99'",
          "'SG999'", "'0.99S'", "'\"x\"99'", "'B99'", "'FM9,999,999.99'", "'9,99,99'"],
    "F": ["'YYYY-MM-DD'", "'HH24:MI:SS.US'", "'HH12:MI AM'", "'Day, DD Month YYYY'",
          "'FMDay, FMDD FMMonth YYYY'", "'IYYY-IW-ID'", "'DDD J Q CC'", "'YY Y,YYY BC'",
          "'MS FF3 SSSS'", "'\"at\" HH24'", "'Dth of Mon'", "'RM WW W D'", "'TZ OF'"],
    "P": ["'$'", "'$.a'", "'$.b[*]'", "'$.b[*] ? (@ > 1)'", "'strict $.zz'", "'$.**'", "'$.b[last]'",
          "'$.a + 1'", "'$[0 to 1]'", "'$.*'", "'$ ? (@.a == 1)'", "'exists($.a)'", "'$.b.size()'",
          "'$.type()'", "'$..a'", "'$.b[5]'", "'strict $.b[5]'", "'$.a == 1'", "'-$.a'",
          "'$[*] ? (@ like_regex \"^t\")'", "'$[*] ? (@ starts with \"t\")'", "'$.a.b.c'",
          "'$.b[*].c'", "'($.a > 0) is unknown'", "'$.keyvalue().key'", "'$.a / 0'", "NULL"],
    "E": ["'hex'", "'base64'", "'escape'", "'rot13'", "NULL::text"],
    "C": ["'UTF8'", "'LATIN1'", "'nonsense'", "NULL::text"],
    "u": ["'hour'", "'day'", "'week'", "'month'", "'quarter'", "'year'", "'decade'", "'century'",
          "'millennium'", "'second'", "'minute'", "'milliseconds'", "'microseconds'", "'nothing'",
          "NULL::text"],
    "o": ["<", "<=", ">", ">=", "=", "<>"],
}

TEMPLATES = """
lower({T})
upper({T})
initcap({T})
reverse({t})
length({t})
char_length({t})
octet_length({t})
bit_length({t})
ascii({t})
chr({I})
md5({t})
quote_ident({t})
quote_literal({t})
quote_nullable({t})
quote_literal({n}::text)
quote_nullable({i})
left({t}, {i})
right({t}, {i})
lpad({t}, {i})
lpad({t}, {i}, {s})
rpad({t}, {i}, {s})
repeat({s}, {i})
btrim({t}, {s})
ltrim({t}, {s})
rtrim({t})
trim(both {s} from {t})
strpos({t}, {s})
position({s} in {t})
replace({t}, {s}, {t})
translate({t}, {s}, {s})
split_part({t}, {s}, {i})
starts_with({t}, {s})
{t} ^@ {s}
substring({t} from {i})
substring({t} from {i} for {i})
substr({t}, {i})
substr({t}, {i}, {i})
overlay({t} placing {s} from {i})
overlay({t} placing {s} from {i} for {i})
concat({t}, {i}, {t})
concat_ws({s}, {t}, {i}, NULL, {t})
{t} || {s}
{t} || {i}
to_hex({I})
to_hex({l})
format('%s|%s', {t}, {i})
format('%I', {t})
format('%L', {t})
format('%5s|%-5s|', {t}, {s})
format('%*s|', {i}, {s})
format('%2$s %1$s', {t}, {s})
format({t})
format('%s %s', {t})
parse_ident({t})
parse_ident({t}, {B})
unistr({t})
string_to_array({t}, {s})
string_to_array({t}, {s}, {s})
array_to_string(string_to_array({t}, {s}), '|', '*')
{t} like {s}
{t} like '%' || {s} || '%'
{t} ilike {s}
{t} like any (array[{s}, '%a%'])
{t} not like all (array[{s}, '%a%'])
{t} similar to '%(a|b)%'
{t} between {s} and {t}
{t} between symmetric {t} and {s}
{t} is distinct from {s}
regexp_like({t}, {x})
regexp_like({t}, {x}, 'i')
regexp_count({t}, {x})
regexp_count({t}, {x}, {i})
regexp_instr({t}, {x})
regexp_instr({t}, {x}, {i})
regexp_instr({t}, {x}, 1, {i}, 1)
regexp_substr({t}, {x})
regexp_substr({t}, {x}, {i})
regexp_replace({t}, {x}, '<\\&>')
regexp_replace({t}, {x}, 'X', {i})
regexp_replace({t}, {x}, 'X', 1, {i})
regexp_match({t}, {x})
regexp_split_to_array({t}, {x})
{t} ~ {x}
{t} !~* {x}
encode({b}, {E})
decode({t}, {E})
decode(encode({b}, {E}), {E})
convert_to({t}, {C})
convert_from({b}, {C})
length({b})
octet_length({b})
bit_length({b})
bit_count({b})
get_bit({b}, {l})
get_byte({b}, {i})
set_bit({b}, {l}, {i})
set_byte({b}, {i}, {I})
substring({b} from {i} for {i})
substr({b}, {i})
position({c} in {b})
btrim({b}, {c})
ltrim({b}, {c})
rtrim({b}, {c})
overlay({b} placing {c} from {i})
{b} || {c}
md5({b})
sha224({b})
sha256({b})
sha384({b})
sha512({b})
abs({I})
abs({n})
abs({f})
@ {n}
ceil({n})
floor({n})
ceil({f})
floor({f})
round({n})
round({n}, {i})
trunc({n}, {i})
round({f})
trunc({f})
sign({n})
sign({f})
mod({I}, {i})
mod({n}, {n})
div({n}, {n})
gcd({I}, {I})
gcd({l}, {l})
lcm({I}, {I})
lcm({l}, {l})
gcd({n}, {n})
lcm({n}, {n})
factorial({i})
sqrt({f})
|/ {f}
||/ {f}
cbrt({f})
exp({f})
ln({f})
log({f})
log10({f})
power({f}, {f})
sin({f})
cos({f})
tan({f})
cot({f})
asin({f})
acos({f})
atan({f})
atan2({f}, {f})
sind({f})
cosd({f})
tand({f})
cotd({f})
asind({f})
acosd({f})
atand({f})
atan2d({f}, {f})
sinh({f})
cosh({f})
tanh({f})
asinh({f})
acosh({f})
atanh({f})
degrees({f})
radians({f})
width_bucket({f}, {f}, {f}, {i})
width_bucket({i}, {a})
{I} & {I}
{I} | {I}
{I} # {I}
~ {I}
{I} << {i}
{I} >> {i}
{l} & {l}
{l} | {i}
{l} # {l}
~ {l}
{l} << {i}
{l} >> {i}
{h} & {h}
{h} << {i}
~ {h}
to_char({I}, {N})
to_char({n}, {N})
to_char({i}::float8, {N})
to_number(to_char({I}, '9G999G999G999MI'), '9G999G999G999MI')
to_number({t}, '999')
to_number('1,234.5-', {N})
to_char({m}, {F})
to_char({z}, {F})
to_char({v}, 'DD HH24:MI:SS')
extract(year from {m})
extract(epoch from {m})
extract(isodow from {d})
extract(timezone from {z})
extract(month from {v})
date_part({u}, {m})
date_part('doy', {d})
date_trunc({u}, {m})
date_trunc({u}, {z})
date_trunc({u}, {z}, {Z})
date_trunc({u}, {v})
date_bin(INTERVAL '15 minutes', {m}, TIMESTAMP '2001-01-01')
date_bin({v}, TIMESTAMP '2024-01-01', {m})
age({m}, {m})
age({z}, {z})
justify_days({v})
justify_hours({v})
justify_interval({v})
isfinite({d})
isfinite({m})
isfinite({v})
{z} at time zone {Z}
{m} at time zone {Z}
timezone({Z}, {z})
timezone({Z}, {m})
{z} at time zone INTERVAL '5 hours 30 minutes'
make_date({I}, {i}, {i})
make_date(2024, {i}, 29)
make_timestamp(2024, {i}, {i}, {i}, 5, {f})
make_timestamptz(2024, 3, 31, 2, 30, {f}, {Z})
make_interval({i}, {i}, {i}, {i}, {i}, {i}, {f})
make_interval(days => {i}, secs => {f})
({m}, {m}) overlaps ({m}, {m})
({d}, {v}) overlaps ({d}, {v})
{m} + {v}
{m} - {v}
{z} + {v}
{d} + {i}
{d} - {d}
{m} - {m}
{v} * {f}
{v} / {i}
{v} + {v}
{v} {o} {v}
{m} {o} {d}
{j} -> {k}
{j} ->> {k}
{j} -> {i}
{j} #> {p}
{j} #>> {p}
{j} ? {k}
{j} ?| array[{k}, 'b']
{j} ?& array[{k}, 'b']
{j} @> {j}
{j} <@ {j}
{j} || {j}
{j} - {k}
{j} - {i}
{j} - {p}
{j} #- {p}
jsonb_set({j}, {p}, '9')
jsonb_set({j}, {p}, '9', {B})
jsonb_insert({j}, {p}, '9')
jsonb_insert({j}, {p}, '9', {B})
jsonb_set_lax({j}, {p}, NULL)
jsonb_set_lax({j}, {p}, NULL, {B}, 'delete_key')
jsonb_pretty({j})
jsonb_strip_nulls({j})
jsonb_typeof({j})
jsonb_array_length({j})
jsonb_extract_path({j}, {k})
jsonb_extract_path_text({j}, 'b', {k})
jsonb_build_object({k}, {i}, 'z', {t})
jsonb_build_array({i}, {t}, {n}, {B}, {d})
jsonb_object({A})
jsonb_object({A}, {A})
to_jsonb({t}::text)
to_jsonb({n})
to_jsonb({m})
to_jsonb({a})
jsonb_path_exists({j}, {P})
jsonb_path_match({j}, {P})
jsonb_path_query_array({j}, {P})
jsonb_path_query_first({j}, {P})
jsonb_path_query_array({j}, {P}, '{{}}', true)
{j} @? {P}
{j} @@ {P}
array_length({a}, {i})
array_upper({a}, {i})
array_lower({a}, {i})
array_ndims({a})
array_dims({a})
array_ndims({D})
array_dims({D})
array_length({D}, {i})
cardinality({a})
cardinality({D})
array_append({a}, {i})
array_prepend({i}, {a})
array_cat({a}, {a})
{a} || {a}
{a} || {i}
array_position({a}, {i})
array_position({a}, 2, {i})
array_positions({a}, {i})
array_remove({a}, {i})
array_replace({a}, {i}, 99)
array_to_string({a}, {s})
array_to_string({A}, {s}, {s})
array_fill({i}, array[2])
array_fill({t}::text, array[2, 2])
trim_array({a}, {i})
{a} @> {a}
{a} && {a}
{a} {o} {a}
{i} {o} any ({a})
{i} {o} all ({a})
{s} {o} any ({A})
({a})[{i}]
({a})[{i}:{i}]
({i}, {i}) {o} ({i}, {i})
({i}, {i}) is distinct from ({i}, 1)
coalesce({t}, {s})
nullif({i}, {i})
greatest({i}, {i}, {n})
least({t}, {s})
num_nulls({i}, {t}, {n})
num_nonnulls({i}, {t})
scale({n})
min_scale({n})
trim_scale({n})
{n} {o} {i}
{i} + {n}
{n} * {n}
{I} + {I}
{I} * {I}
{I} / {i}
{l} - {l}
{i} % {i}
""".strip().split("\n")

def statements():
    """Every statement: SELECT of a filled template as text."""
    for template in TEMPLATES:
        places = re.findall(r"(?<!\{)\{(\w)\}", template)
        pools = [POOLS[letter] for letter in places]
        ways = 1
        for pool in pools:
            ways *= len(pool)
        chooser = random.Random(template)
        if ways <= LIMIT:
            chosen = list(itertools.product(*pools))
        else:
            # Every value of every pool at least once, then at random.
            chosen = [tuple(pool[index % len(pool)] for pool in pools)
                      for index in range(max(map(len, pools)))]
            while len(chosen) < LIMIT:
                chosen.append(tuple(chooser.choice(pool) for pool in pools))
        pieces = re.split(r"(?<!\{)\{\w\}", template.replace("{{", "\0").replace("}}", "\1"))
        for values in dict.fromkeys(chosen):
            text = pieces[0] + "".join(v + p for v, p in zip(values, pieces[1:]))
            text = text.replace("\0", "{").replace("\1", "}")
            yield template, f"SELECT ({text})::text"
