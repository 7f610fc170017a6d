// Rows sorted by radix, against the order of their values one by one.

import Base
import Columns
import SQL
import Testing

import Engine

@Suite struct RowSorterTests {
    /// Texts that agree in their beginnings, end in zero bytes, or are empty.
    private static func text(_ random: inout Random) -> Value {
        let beginnings = ["", "user_", "a text of more than twelve bytes, and then ", "\u{0}", "é"]
        var text = beginnings[random.below(beginnings.count)]
        for _ in 0..<random.below(12) { text += ["a", "b", "\u{0}", "ÿ"][random.below(4)] }
        return .text(text)
    }

    private static func value(_ type: ColumnType, _ random: inout Random) -> Value {
        switch type {
        case .boolean: .boolean(random.chance(1, in: 2))
        case .int32: .int(Int64(random.below(200)) - 100)
        case .int64:
            .int(
                random.chance(1, in: 3) ? Int64(bitPattern: random.next()) : Int64(random.below(9)))
        case .float64:
            .float(
                [-0.0, 0, .nan, .infinity, -.infinity, -1.5, 1e300, 7][random.below(8)])
        case .decimal: .decimal(unscaled: Int128(random.below(2000)) - 1000, scale: 2)
        case .text: text(&random)
        case .binary:
            .binary((0..<random.below(20)).map { _ in UInt8(random.below(3)) })
        case .list: .list((0..<random.below(3)).map { _ in .int(Int64(random.below(3))) })
        default: .null
        }
    }

    private static let types: [ColumnType] = [
        .boolean, .int32, .int64, .float64, .decimal(precision: 10, scale: 2), .text, .binary,
        .list(.int64),
    ]

    @Test(arguments: 0..<40)
    func `rows come in the order of their values, equal ones in theirs`(seed: UInt64) throws {
        var random = Random(seed: seed)
        let count = [0, 1, 2, 30, 500, 3000][random.below(6)]
        var columns: [Column] = []
        var directions: [SortDirection] = []
        for _ in 0..<random.within(1...4) {
            let type = Self.types[random.below(Self.types.count)]
            let nulls = random.below(3)
            let values = (0..<count).map { _ in
                nulls > 0 && random.chance(1, in: 5) ? Value.null : Self.value(type, &random)
            }
            columns.append(Column(type, values))
            directions.append(
                SortDirection(
                    isDescending: random.chance(1, in: 2), nullsFirst: random.chance(1, in: 2)))
        }
        func order(_ a: Int, _ b: Int) -> Int {
            for (column, direction) in zip(columns, directions) {
                let (x, y) = (column.value(a), column.value(b))
                if x.isNull != y.isNull { return x.isNull == direction.nullsFirst ? -1 : 1 }
                if x.isNull { continue }
                let order = ValueOrder.compare(x, y)
                if order != 0 { return direction.isDescending ? -order : order }
            }
            return 0
        }
        let rows = try RowSorter(columns, directions, count: count).sortedRows().map { Int($0) }
        #expect(rows.sorted() == Array(0..<count))
        for (a, b) in zip(rows, rows.dropFirst()) {
            let order = order(a, b)
            #expect(order < 0 || (order == 0 && a < b), "rows \(a) and \(b)")
        }
        // Sorters whose rows are compared with each other see the same order.
        let one = RowSorter(columns, directions, count: count, comparable: true)
        for _ in 0..<min(count, 300) {
            let (a, b) = (random.below(count), random.below(count))
            #expect(one.order(a, one, b).signum() == order(a, b).signum())
        }
        // Of leading words the order is never the other way round.
        if let (nulls, words) = RowSorter.leadingWords(columns[0], directions[0]) {
            for (a, b) in zip(rows, rows.dropFirst()) {
                #expect((nulls[a], words[a]) <= (nulls[b], words[b]))
            }
        }
    }

    @Test func `long texts that agree to their ends take no stack`() throws {
        // Each goes on a little longer than the one before: a range within a range for each of them.
        let texts = (0..<3000).reversed().map { String(repeating: "a", count: 7 * $0) }
        let column = Column(.text, texts.map { .text($0) })
        let rows = try RowSorter(
            [column], [SortDirection(isDescending: false, nullsFirst: false)], count: texts.count
        ).sortedRows()
        #expect(rows == Array((0..<3000 as Range<Int32>).reversed()))
    }

    /// Many more rows than are wanted, some of them NULL, in an order that has the first ones late.
    private static let many = """
        WITH t AS (SELECT i, CASE WHEN i % 97 = 0 THEN NULL ELSE -i % 5003 END AS x,
          CASE WHEN i % 89 = 0 THEN NULL ELSE 'text ' || (30000 - i) % 4001 END AS s,
          (i * 7919 % 30011)::numeric / 7 AS n
        FROM generate_series(1, 30000) AS g(i))

        """

    @Test(arguments: [
        "x", "x DESC", "x NULLS FIRST, i DESC", "x DESC NULLS LAST, s", "s", "s DESC NULLS LAST, i",
        "n DESC", "n, x", "x + i, s", "x / 4000, i DESC", "i DESC",
    ])
    func `the first rows are those of the whole order`(order: String) throws {
        for limit in [1, 10, 700] {
            let first = answer(Self.many + "SELECT i FROM t ORDER BY \(order) LIMIT \(limit)")
            let whole = answer(
                Self.many
                    + "SELECT i FROM (SELECT i, row_number() OVER (ORDER BY \(order)) AS r FROM t) q "
                    + "WHERE r <= \(limit) ORDER BY r")
            #expect(first.count == limit)
            #expect(first == whole, "\(limit)")
        }
    }
}
