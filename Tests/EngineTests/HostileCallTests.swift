import Base
import Columns
import Engine
import SQL
import Testing

/// Calls that ask for too much, or for nonsense: they end in an error of PostgreSQL's kind, at once and
/// in little memory.
@Suite struct HostileCallTests {
    private static let refused: [(sql: String, code: String)] = [
        ("repeat('x', 2147483647)", "54000"),
        ("repeat('abc', 2147483647)", "54000"),
        ("lpad('x', 2147483647)", "54000"),
        ("rpad('x', 2147483647, 'yz')", "54000"),
        ("format('%2147483647s', 'x')", "54000"),
        ("format('%*s', 2147483647, 'x')", "54000"),
        ("format('%99999999999999999999s', 'x')", "22003"),
        ("format('%99999999$s', 'x')", "22023"),
        ("replace(repeat('x', 100000), 'x', repeat('y', 100000))", "54000"),
        ("regexp_replace(repeat('x', 100000), 'x', repeat('y', 100000), 'g')", "54000"),
        ("factorial(1000000000)", "22003"),
        ("factorial(34)", "22003"),
        ("factorial(-1)", "22003"),
        ("lcm(9223372036854775807, 9223372036854775806)", "22003"),
        ("gcd(-9223372036854775807 - 1, 0)", "22003"),
        ("array_fill(0, ARRAY[100000, 100000])", "54000"),
        ("array_fill(0, ARRAY[2147483647])", "54000"),
        ("array_fill(0, ARRAY[1, 1, 1, 1, 1, 1, 1])", "54000"),
        ("trim_array(ARRAY[1], 2147483647)", "2202E"),
        ("to_char(1, repeat('9', 2000))", "22023"),
        ("to_number('1', repeat('9', 2000))", "22023"),
        ("to_char(now(), repeat('Y', 2000))", "22023"),
        ("to_number(repeat('9', 60), repeat('9', 60))", "22003"),
        ("set_byte('\\x00', 2147483647, 1)", "2202E"),
        ("get_bit('\\x00', 9223372036854775807)", "2202E"),
        ("jsonb_path_query_array('1', repeat('(', 500) || '1' || repeat(')', 500))", "54001"),
        ("jsonb_path_query_array('1', repeat('-', 500) || '1')", "54001"),
        ("jsonb_path_query_array('1', '$' || repeat('.a', 5000))", "54001"),
        ("jsonb_path_query_array('1', '$' || repeat(' ', 20000))", "54000"),
        (
            "jsonb_path_query_array((SELECT jsonb_agg(x) FROM generate_series(1, 2000) x), "
                + "'$ ? ($[*] > 0).**.**.**[*] ? (exists($[*] ? ($[*] == @ * 0)))')", "54000"
        ),
        ("make_interval(2147483647, 2147483647)", "22008"),
        ("make_interval(0, 0, 0, 0, 0, 0, 1e30)", "22008"),
        ("regexp_replace(repeat('x', 100000), 'x', repeat('y', 100000), 1, 0)", "54000"),
        ("make_timestamptz(294276, 12, 31, 23, 59, 59, 'America/New_York')", "22008"),
        ("now() AT TIME ZONE repeat('x', 100000)", "22023"),
        ("now() AT TIME ZONE '../../etc/passwd'", "22023"),
        ("now() AT TIME ZONE '/etc/passwd'", "22023"),
        ("now() AT TIME ZONE 'Europe'", "22023"),
        ("width_bucket(1, 0, 10, 0)", "2201G"),
        ("width_bucket(10, 0, 10, 2147483647)", "22003"),
        ("regexp_substr('x', 'x', -2147483648)", "22023"),
        ("decode(repeat('=', 1000), 'base64')", "22023"),
        ("convert_from('\\xf8888888', 'UTF8')", "22021"),
        ("unistr('\\D800')", "42601"),
        ("chr(2147483647)", "54000"),
        ("parse_ident(repeat('a.', 1000))", "22023"),
    ]

    @Test(arguments: refused)
    func `a call that asks too much is refused`(_ call: (sql: String, code: String)) {
        let lines = answer("SELECT " + call.sql)
        #expect(lines.first?.hasPrefix(call.code) == true, "\(call.sql): \(lines.prefix(1))")
    }

    /// The examples of the list with arguments put in the place of others: whatever they are, the
    /// answer is rows or an error.
    @Test func `mutated calls always have an answer`() {
        let hostile = [
            "NULL", "''", "'x'", "0", "-1", "2147483647", "-2147483648", "9223372036854775807",
            "1e300", "'NaN'::float8", "'-Infinity'::float8", "'\\x'::bytea", "'{}'", "'[]'",
            "'infinity'::timestamp", "'{{1},{2}}'", "'%'", "'\\'", "'((('", "0.1", "TRUE",
            "'9999-12-31'", "'1 mon'", "'$.**'", "ARRAY[NULL]", "'é'", "now()", "DATE '-infinity'",
            "99999999999999999999999999999999999999",
        ]
        var random = Random(seed: 20_261_130)
        var answered = 0
        var refused = 0
        // A series may have any number of rows, which its reader bounds.
        for entry in FunctionCatalog.entries where entry.kind != .rows {
            for _ in 0..<20 {
                let sql = mutated(entry.example, hostile, &random)
                let lines = answer("SELECT " + sql)
                let isError = lines.first.map { isCode($0) } ?? false
                // XX000 would be a fault of ours.
                #expect(lines.first?.hasPrefix("XX") != true, "\(sql): \(lines.prefix(1))")
                if isError { refused += 1 } else { answered += 1 }
            }
        }
        #expect(answered > 500)
        #expect(refused > 500)
    }

    private func isCode(_ line: String) -> Bool {
        let code = line.prefix(6)
        return code.utf8.count == 6 && code.last == " "
            && code.dropLast().allSatisfy { $0.isNumber || ($0.isLetter && $0.isUppercase) }
    }

    /// `text` with one or two of its arguments replaced: what stands between `(`, `,` and `)`.
    private func mutated(
        _ text: String, _ values: [String], _ random: inout Random
    ) -> String {
        var pieces: [String] = [""]
        var isQuoted = false
        for character in text {
            if character == "'" { isQuoted.toggle() }
            if !isQuoted, "(),".contains(character) {
                pieces.append(String(character))
                pieces.append("")
            } else {
                pieces[pieces.count - 1].append(character)
            }
        }
        let places = pieces.indices.filter { index in
            index > 0 && index < pieces.count - 1 && !pieces[index].isEmpty
                && !"(),".contains(pieces[index]) && pieces[index + 1] != "("
        }
        guard !places.isEmpty else { return text }
        for _ in 0..<Int.random(in: 1...2, using: &random) {
            let place = places[Int.random(in: places.indices, using: &random)]
            pieces[place] = " " + values[Int.random(in: values.indices, using: &random)]
        }
        return pieces.joined()
    }
}
