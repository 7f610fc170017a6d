// Operators against naive models on seeded random data.

import Base
import Columns
import Engine
import SQL
import Testing

private let fields = [
    Field("k", .text), Field("g", .int32), Field("x", .int64), Field("f", .float64),
]

private func column(_ index: Int) -> BoundExpression { .column(index, fields[index].type) }

/// Rows with repeated keys, NULLs, and texts short and long.
private func randomRows(_ count: Int, seed: UInt64) -> [[Value]] {
    var random = Random(seed: seed)
    return (0..<count).map { _ in
        let key = random.below(12)
        let text: Value =
            switch key {
            case 0: .null
            case 1...5: .text("k\(key)")
            default: .text("a key longer than twelve bytes, number \(key)")
            }
        let x: Value = random.chance(1, in: 6) ? .null : .int(Int64(random.below(50)) - 25)
        let f: Value = random.chance(1, in: 9) ? .null : .float(Double(random.below(100)) / 4)
        return [text, .int(Int64(random.below(5))), x, f]
    }
}

/// Text columns as dictionaries, as they come from files.
private func coded(_ batches: [ColumnBatch]) -> [ColumnBatch] {
    batches.map { batch in
        var batch = batch
        for index in batch.columns.indices where batch.columns[index].type == .text {
            let column = batch.columns[index]
            var distinct: [Value] = []
            var codes: [Int32] = []
            for row in 0..<batch.rowCount {
                let value = column.value(row)
                if value.isNull {
                    codes.append(0)
                } else if let code = distinct.firstIndex(of: value) {
                    codes.append(Int32(code))
                } else {
                    codes.append(Int32(distinct.count))
                    distinct.append(value)
                }
            }
            guard case .text(let values) = Column(.text, distinct).data else { continue }
            batch.columns[index] = Column(
                type: .text, data: .dictionary(codes: codes, values: values),
                validity: column.validity)
        }
        return batch
    }
}

/// Rows in an order that does not depend on where they came from.
private func canonical(_ rows: [[Value]]) -> [[Value]] {
    rows.sorted { ValueOrder.compare(.list($0), .list($1)) < 0 }
}

@Suite struct OperatorTests {
    private func tables(_ rows: [[Value]]) -> [[String: [ColumnBatch]]] {
        let plain = batches(fields, rows)
        return [["t": plain], ["t": coded(plain)]]
    }

    // MARK: Aggregation

    private func aggregate(
        _ keys: [BoundExpression], _ calls: [AggregateCall]
    ) -> LogicalPlan {
        .aggregate(
            AggregateNode(
                input: scan("t", fields),
                keys: keys.enumerated().map { NamedExpression("k\($0.offset)", $0.element) },
                aggregates: calls.enumerated().map { NamedAggregate("a\($0.offset)", $0.element) }))
    }

    private func ints(_ rows: [[Value]]) -> [Int64] {
        rows.compactMap { if case .int(let value) = $0[2] { value } else { nil } }
    }

    @Test(arguments: [0, 1, 7, 3000])
    func `grouping agrees with a model`(count: Int) throws {
        let rows = randomRows(count, seed: UInt64(count) + 1)
        let positive = BoundExpression.call(
            .greater, [column(2), .literal(.int(0), .int64)], .boolean)
        let wide = ColumnType.decimal(precision: 38, scale: 0)
        let calls: [AggregateCall] = [
            AggregateCall(.countStar, [], type: .int64),
            AggregateCall(.count, [column(2)], type: .int64),
            AggregateCall(.sum, [column(2)], type: wide),
            AggregateCall(.minimum, [column(2)], type: .int64),
            AggregateCall(.maximum, [column(0)], type: .text),
            AggregateCall(.count, [column(2)], isDistinct: true, type: .int64),
            AggregateCall(.count, [column(2)], filter: positive, type: .int64),
            AggregateCall(
                .arrayAgg, [column(2)], orderBy: [SortKey(column(2)), SortKey(column(3))],
                type: .list(.int64)),
        ]
        var expected: [[Value]] = []
        var groups: [[Value]: [[Value]]] = [:]
        for row in rows { groups[[row[0], row[1]], default: []].append(row) }
        for (key, members) in groups {
            let numbers = ints(members)
            let texts = members.map { $0[0] }.filter { !$0.isNull }
            let ordered = members.map { $0[2] }.sorted { ValueOrder.compare($0, $1) < 0 }
            expected.append(
                key + [
                    .int(Int64(members.count)), .int(Int64(numbers.count)),
                    numbers.isEmpty
                        ? .null : .decimal(unscaled: Int128(numbers.reduce(0, +)), scale: 0),
                    numbers.min().map { .int($0) } ?? .null, texts.first ?? .null,
                    .int(Int64(Set(numbers).count)),
                    .int(Int64(numbers.count { $0 > 0 })), .list(ordered),
                ])
        }
        for tables in tables(rows) {
            let found = try run(aggregate([column(0), column(1)], calls), tables)
            #expect(canonical(found) == canonical(expected))
        }
    }

    @Test func `no keys give one row, also of no input`() throws {
        let calls: [AggregateCall] = [
            AggregateCall(.countStar, [], type: .int64),
            AggregateCall(.sum, [column(3)], type: .float64),
            AggregateCall(.average, [column(1)], type: .decimal(precision: 38, scale: 16)),
        ]
        #expect(try run(aggregate([], calls), ["t": []]) == [[.int(0), .null, .null]])
        #expect(try run(aggregate([column(1)], calls), ["t": []]) == [])
        let rows: [[Value]] = [
            [.null, .int(1), .null, .float(1.5)], [.null, .int(2), .null, .float(2.5)],
        ]
        #expect(
            try run(aggregate([], calls), ["t": batches(fields, rows)])
                == [[.int(2), .float(4), .decimal(unscaled: 15_000_000_000_000_000, scale: 16)]])
    }

    @Test func `groups come in the order of their first row`() throws {
        let rows = randomRows(3000, seed: 9)
        var seen: [Value] = []
        for row in rows where !seen.contains(row[0]) { seen.append(row[0]) }
        let found = try run(aggregate([column(0)], []), ["t": batches(fields, rows)])
        #expect(found.map { $0[0] } == seen)
    }

    @Test func `many groups make the table grow`() throws {
        let rows: [[Value]] = (0..<9000).map {
            [.text("user \($0 % 4000) of a long name"), .int(1), .int(1), .null]
        }
        let calls = [AggregateCall(.countStar, [], type: .int64)]
        let found = try run(aggregate([column(0)], calls), ["t": batches(fields, rows)])
        #expect(found.count == 4000)
        #expect(found.allSatisfy { $0[1] == .int(2) || $0[1] == .int(3) })
    }

    @Test func `sums overflow with the error of their type`() {
        let small = [Field("x", .decimal(precision: 38, scale: 0))]
        let nines = Value.decimal(
            unscaled: 99_999_999_999_999_999_999_999_999_999_999_999_999, scale: 0)
        let input = batches(small, [[nines], [nines]])
        let plan = LogicalPlan.aggregate(
            AggregateNode(
                input: scan("t", small), keys: [],
                aggregates: [
                    NamedAggregate(
                        "s",
                        AggregateCall(.sum, [.column(0, small[0].type)], type: small[0].type))
                ]))
        #expect(errorCode { _ = try run(plan, ["t": input]) } == "22003")
    }

    // MARK: Sorting

    @Test(arguments: [0, 1, 100, 2500])
    func `sorting agrees with a model and is stable`(count: Int) throws {
        let rows = randomRows(count, seed: UInt64(count) + 77)
        let numbered = rows.enumerated().map { $0.element + [.int(Int64($0.offset))] }
        let wider = fields + [Field("n", .int64)]
        let keyChoices: [[SortKey]] = [
            [SortKey(column(0)), SortKey(column(2), isDescending: true)],
            [SortKey(column(3), isDescending: true, nullsFirst: false), SortKey(column(0))],
            [SortKey(column(2), nullsFirst: true)],
            [SortKey(column(0), isDescending: true)],
        ]
        for keys in keyChoices {
            let expected = numbered.sorted { precedes($0, $1, keys) }
            let input = batches(wider, numbered)
            let all = try run(.sort(scan("t", wider), keys, limit: nil), ["t": input])
            #expect(all == expected)
            for limit in [0, 3, 1000] {
                let top = try run(
                    .sort(scan("t", wider), keys, limit: Int64(limit)), ["t": coded(input)])
                #expect(top == Array(expected.prefix(limit)))
            }
        }
    }

    private func precedes(_ a: [Value], _ b: [Value], _ keys: [SortKey]) -> Bool {
        for key in keys {
            guard case .column(let index, _) = key.expression else { continue }
            let (x, y) = (a[index], b[index])
            if x.isNull, y.isNull { continue }
            if x.isNull { return key.nullsFirst }
            if y.isNull { return !key.nullsFirst }
            let order = ValueOrder.compare(x, y)
            if order != 0 { return (order < 0) != key.isDescending }
        }
        return ValueOrder.compare(a[a.count - 1], b[b.count - 1]) < 0
    }

    @Test func `every type sorts as it compares`() throws {
        var random = Random(seed: 31)
        let types: [ColumnType] = [
            .boolean, .int16, .int32, .int64, .float64, .decimal(precision: 38, scale: 3), .text,
            .binary, .date, .timestamp, .interval, .uuid, .json, .list(.int32),
        ]
        for type in types {
            let values = (0..<150).map { _ in randomValue(type, &random) }
            let field = [Field("v", type)]
            let input = batches(field, values.map { [$0] }, sizes: [37])
            for isDescending in [false, true] {
                let keys = [SortKey(.column(0, type), isDescending: isDescending)]
                let found = try run(.sort(scan("t", field), keys, limit: nil), ["t": input])
                let orders = zip(found, found.dropFirst()).map {
                    ValueOrder.compare($0[0], $1[0])
                }
                #expect(
                    orders.allSatisfy { isDescending ? $0 >= 0 : $0 <= 0 }, "\(type.sqlName)")
                #expect(found.count == 150)
            }
        }
    }

    private func randomValue(_ type: ColumnType, _ random: inout Random) -> Value {
        if random.chance(1, in: 10) { return .null }
        let bits = random.next()
        let small = Int64(bits % 20) - 10
        let number = random.chance(1, in: 3) ? Int64(bitPattern: bits) : small
        switch type {
        case .boolean: return .boolean(bits % 2 == 0)
        case .int16: return .int(Int64(Int16(truncatingIfNeeded: number)))
        case .int32: return .int(Int64(Int32(truncatingIfNeeded: number)))
        case .int64: return .int(number)
        case .float64:
            let value = Double(bitPattern: bits)
            return .float(random.chance(1, in: 3) ? value : Double(small) / 3)
        case .decimal: return .decimal(unscaled: Int128(number) * Int128(small), scale: 3)
        case .text: return .text(String(repeating: "ab", count: Int(bits % 8)) + "\(small)")
        case .binary:
            return .binary([UInt8](repeating: 0, count: Int(bits % 12)) + [UInt8(bits % 5)])
        case .date: return .date(days: Int32(truncatingIfNeeded: small))
        case .timestamp: return .timestamp(microseconds: number)
        case .interval:
            return .interval(
                Interval(
                    months: Int32(small), days: Int32(bits % 100), microseconds: number / 1000))
        case .uuid: return .uuid(UInt128(bits) << 64 | UInt128(random.next()))
        case .json: return .json(["1", "\"a\"", "[1, 2]", "{\"a\": 1}", "2.0"][Int(bits % 5)])
        default: return .list((0..<Int(bits % 3)).map { _ in .int(Int64(random.below(3))) })
        }
    }

    // MARK: DISTINCT

    @Test func `distinct keeps the first of equal rows`() throws {
        let rows = randomRows(3000, seed: 4).map { Array($0[0...2]) }
        let narrow = Array(fields[0...2])
        var expected: [[Value]] = []
        var seen: Set<[Value]> = []
        for row in rows where seen.insert(row).inserted { expected.append(row) }
        for input in [batches(narrow, rows), coded(batches(narrow, rows))] {
            #expect(try run(.distinct(scan("t", narrow)), ["t": input]) == expected)
        }
    }

    @Test func `distinct on keeps the first in the order asked for`() throws {
        let rows = randomRows(2000, seed: 5)
        let order = [SortKey(column(0)), SortKey(column(2), isDescending: true)]
        let sorted = try run(
            .sort(scan("t", fields), order, limit: nil), ["t": batches(fields, rows)])
        var expected: [[Value]] = []
        for row in sorted where expected.last?[0] != row[0] { expected.append(row) }
        let plan = LogicalPlan.distinctOn(
            DistinctOnNode(input: scan("t", fields), keys: [column(0)], order: order))
        #expect(try run(plan, ["t": batches(fields, rows)]) == expected)
    }

    @Test func `every type groups as it compares`() throws {
        var random = Random(seed: 32)
        for type in [
            ColumnType.boolean, .int32, .int64, .float64, .decimal(precision: 38, scale: 3), .text,
            .binary, .timestamp, .interval, .uuid, .json, .list(.int32),
        ] {
            var values = (0..<90).map { _ in randomValue(type, &random) }
            values += values
            let field = [Field("v", type)]
            let input = batches(field, values.map { [$0] }, sizes: [37])
            let found = try run(.distinct(scan("t", field)), ["t": input]).map { $0[0] }
            var expected: [Value] = []
            for value in values
            where !expected.contains(where: { ValueOrder.compare($0, value) == 0 }) {
                expected.append(value)
            }
            #expect(found.count == expected.count, "\(type.sqlName)")
        }
    }

    // MARK: Joins

    private let rightFields = [Field("rk", .text), Field("rx", .int64), Field("n", .int32)]

    private func join(
        _ kind: JoinKind, keys: Bool, residual: Bool, nullsMatch: Bool = false
    ) -> LogicalPlan {
        .join(
            JoinNode(
                kind: kind, left: scan("t", fields), right: scan("u", rightFields),
                keys: keys
                    ? [
                        JoinKey(
                            left: column(0), right: .column(0, .text), nullsMatch: nullsMatch)
                    ] : [],
                residual: residual
                    ? .call(.less, [column(2), .column(5, .int64)], .boolean) : nil))
    }

    private func matches(
        _ left: [Value], _ right: [Value], keys: Bool, residual: Bool, nullsMatch: Bool
    ) -> Bool {
        if keys {
            if left[0].isNull || right[0].isNull {
                if !(nullsMatch && left[0] == right[0]) { return false }
            } else if left[0] != right[0] {
                return false
            }
        }
        guard residual else { return true }
        guard case .int(let a) = left[2], case .int(let b) = right[1] else { return false }
        return a < b
    }

    @Test(arguments: [JoinKind.inner, .left, .right, .full, .semi, .anti, .cross])
    func `joins agree with nested loops`(kind: JoinKind) throws {
        let left = randomRows(60, seed: 41)
        let right = randomRows(45, seed: 42).map { [$0[0], $0[2], $0[1]] }
        for (keys, residual, nullsMatch) in [
            (true, false, false), (true, true, false), (false, true, false), (true, false, true),
            (false, false, false),
        ] {
            if kind == .cross, keys { continue }
            var expected: [[Value]] = []
            var rightMatched = [Bool](repeating: false, count: right.count)
            for l in left {
                var found = false
                for (index, r) in right.enumerated()
                where matches(l, r, keys: keys, residual: residual, nullsMatch: nullsMatch) {
                    found = true
                    rightMatched[index] = true
                    if kind != .semi, kind != .anti { expected.append(l + r) }
                }
                if kind == .semi, found { expected.append(l) }
                if kind == .anti, !found { expected.append(l) }
                if kind == .left || kind == .full, !found {
                    expected.append(l + [.null, .null, .null])
                }
            }
            if kind == .right || kind == .full {
                for (index, r) in right.enumerated() where !rightMatched[index] {
                    expected.append([.null, .null, .null, .null] + r)
                }
            }
            let plan = join(kind, keys: keys, residual: residual, nullsMatch: nullsMatch)
            let found = try run(
                plan,
                ["t": coded(batches(fields, left)), "u": batches(rightFields, right, sizes: [16])])
            #expect(
                canonical(found) == canonical(expected),
                "\(kind) keys \(keys) residual \(residual)")
        }
    }

    @Test(arguments: [JoinKind.inner, .left, .right, .full, .semi, .anti])
    func `joins with an empty side`(kind: JoinKind) throws {
        let rows = randomRows(5, seed: 1)
        let right = rows.map { [$0[0], $0[2], $0[1]] }
        let plan = join(kind, keys: true, residual: false)
        let noRight = try run(plan, ["t": batches(fields, rows), "u": []])
        #expect(noRight.count == (kind == .left || kind == .full || kind == .anti ? 5 : 0))
        let noLeft = try run(plan, ["t": [], "u": batches(rightFields, right)])
        #expect(noLeft.count == (kind == .right || kind == .full ? 5 : 0))
    }

    @Test func `a join that multiplies rows stays in batches`() throws {
        let rows: [[Value]] = (0..<120).map { _ in [.text("k"), .int(1), .int(1), .null] }
        let right: [[Value]] = (0..<120).map { _ in [.text("k"), .int(1), .int(1)] }
        let context = testContext()
        let root = try QueryExecutor.open(
            join(.inner, keys: true, residual: false),
            TestTables(tables: ["t": batches(fields, rows), "u": batches(rightFields, right)]),
            context)
        var total = 0
        while let batch = try root.next() {
            #expect(batch.rowCount > 0 && batch.rowCount <= Limits.batchRows)
            total += batch.rowCount
        }
        #expect(total == 14_400)
    }

    // MARK: The rest

    @Test func `limit and offset cut across batches`() throws {
        let rows = randomRows(3000, seed: 6)
        let input = ["t": batches(fields, rows)]
        for (count, offset) in [
            (nil, 0), (0, 0), (5, 0), (5, 2), (2000, 900), (9, 2999), (9, 4000),
        ]
            as [(Int64?, Int64)]
        {
            let plan = LogicalPlan.limit(
                scan("t", fields), count: count.map { .literal(.int($0), .int64) },
                offset: .literal(.int(offset), .int64))
            let expected = rows.dropFirst(Int(offset)).prefix(Int(count ?? 1 << 30))
            #expect(try run(plan, input) == Array(expected))
        }
        let negative = LogicalPlan.limit(
            scan("t", fields), count: .literal(.int(-1), .int64), offset: nil)
        #expect(errorCode { _ = try run(negative, input) } == "2201W")
        let backwards = LogicalPlan.limit(
            scan("t", fields), count: nil, offset: .literal(.int(-1), .int64))
        #expect(errorCode { _ = try run(backwards, input) } == "2201X")
    }

    @Test func `a scan projects and applies its predicates`() throws {
        let rows = randomRows(500, seed: 8)
        let node = ScanNode(
            relation: QualifiedName("t"), kind: .table, tableSchema: TableSchema(fields),
            projection: [2, 0],
            predicates: [
                .call(.greater, [.column(0, .int64), .literal(.int(3), .int64)], .boolean),
                .isNotNull(.column(1, .text)),
            ])
        let expected = rows.filter { row in
            if case .int(let x) = row[2] { x > 3 && !row[0].isNull } else { false }
        }.map { [$0[2], $0[0]] }
        #expect(try run(.scan(node), ["t": batches(fields, rows)]) == expected)
    }

    @Test func `unions give all inputs one behind the other`() throws {
        let rows = randomRows(10, seed: 2)
        let plan = LogicalPlan.union([scan("t", fields), scan("u", fields), scan("t", fields)])
        let found = try run(plan, ["t": batches(fields, rows), "u": []])
        #expect(found == rows + rows)
    }

    @Test func `a scalar subquery has one row or NULLs`() throws {
        let one = [Field("x", .int32)]
        let plan = LogicalPlan.singleRow(scan("t", one))
        #expect(try run(plan, ["t": []]) == [[.null]])
        #expect(try run(plan, ["t": batches(one, [[.int(4)]])]) == [[.int(4)]])
        let two = batches(one, [[.int(4)], [.int(5)]])
        #expect(errorCode { _ = try run(plan, ["t": two]) } == "21000")
        let apart = batches(one, [[.int(4)], [.int(5)]], sizes: [1])
        #expect(errorCode { _ = try run(plan, ["t": apart]) } == "21000")
    }

    @Test func `windows tumble and hop`() throws {
        let time = [Field("ts", .timestampTZ), Field("x", .int32)]
        let minute: Int64 = 60_000_000
        let input = batches(
            time,
            [
                [.timestampTZ(microseconds: 7 * minute), .int(1)], [.null, .int(2)],
                [.timestampTZ(microseconds: -1), .int(3)],
            ])
        func window(slide: Int64, size: Int64) throws -> [[Value]] {
            try run(
                .window(
                    WindowNode(
                        input: scan("t", time), timeColumn: 0, slideMicroseconds: slide * minute,
                        sizeMicroseconds: size * minute)), ["t": input])
        }
        func moments(_ row: [Value]) -> [Int64] {
            row[2...].compactMap {
                if case .timestampTZ(let moment) = $0 { moment / minute } else { nil }
            }
        }
        #expect(try window(slide: 5, size: 5).map(moments) == [[5, 10], [-5, 0]])
        #expect(
            try window(slide: 5, size: 10).map(moments)
                == [[0, 10], [5, 15], [-10, 0], [-5, 5]])
    }

    // MARK: Bounds

    @Test func `a query that needs too much memory ends with 53200`() throws {
        let rows: [[Value]] = (0..<8000).map {
            [.text("a text that is different in every row: \($0)"), .int(1), .int(1), .null]
        }
        let input = [
            "t": batches(fields, rows),
            "u": batches(rightFields, rows.map { [$0[0], $0[2], $0[1]] }),
        ]
        let keys = [SortKey(column(0))]
        for plan in [
            aggregate([column(0)], []), .sort(scan("t", fields), keys, limit: nil),
            .distinct(scan("t", fields)), join(.inner, keys: true, residual: false),
            aggregate([], [AggregateCall(.arrayAgg, [column(0)], type: .list(.text))]),
            aggregate([], [AggregateCall(.count, [column(0)], isDistinct: true, type: .int64)]),
            scan("t", fields),
        ] {
            let context = testContext(memoryBytes: 400_000)
            #expect(errorCode { _ = try run(plan, input, context: context) } == "53200")
            #expect(context.memory.used == 0)
        }
        // The first rows of a sort need no memory for the others.
        let top = LogicalPlan.sort(scan("t", fields), keys, limit: 3)
        let context = testContext(memoryBytes: 2_500_000)
        #expect(try run(top, input, context: context).count == 3)
        #expect(context.memory.used == 0)
    }

    @Test func `cancellation is noticed within a batch`() throws {
        let rows = randomRows(4500, seed: 12)
        let input = [
            "t": batches(fields, rows),
            "u": batches(rightFields, rows.map { [$0[0], $0[2], $0[1]] }),
        ]
        for plan in [
            scan("t", fields), aggregate([column(0)], []),
            .sort(scan("t", fields), [SortKey(column(0))], limit: nil),
            .distinct(scan("t", fields)), join(.cross, keys: false, residual: false),
            .filter(scan("t", fields), .literal(.boolean(false), .boolean)),
        ] {
            let calls = Counter()
            let context = testContext(isCancelled: { calls.next() > 3 })
            #expect(errorCode { _ = try run(plan, input, context: context) } == "57014")
            #expect(calls.count == 4)
        }
    }

    @Test func `a missing relation is an error`() {
        #expect(errorCode { _ = try run(scan("nowhere", fields), [:]) } == "42P01")
    }

    @Test func `explain shows the plan, analyze counts its rows`() throws {
        let plan = LogicalPlan.limit(
            .project(
                .filter(
                    scan("t", fields),
                    .call(.greater, [column(2), .literal(.int(3), .int64)], .boolean)),
                [
                    NamedExpression("k", column(0)),
                    NamedExpression("y", .call(.negate, [column(2)], .int64)),
                ]),
            count: .literal(.int(2), .int64), offset: nil)
        #expect(
            QueryExecutor.explain(plan) == [
                "Limit 2", "-> Project k, negate(x) as y", "  -> Filter (x > 3)",
                "    -> Scan table t (k, g, x, f)",
            ])
        let input = batches(fields, (0..<10).map { [.null, .null, .int($0), .null] }, sizes: [10])
        let ticks = Counter()
        let measured = try QueryExecutor.measure(
            plan, TestTables(tables: ["t": input]), testContext(),
            clock: { Instant(nanoseconds: ticks.next() * 1000) })
        #expect(
            measured.lines(timing: false) == [
                "rows  batches  memory  ",
                "   2        1       -  Limit 2",
                "   6        1       -  -> Project k, negate(x) as y",
                "   6        1       -    -> Filter (x > 3)",
                "  10        1       -      -> Scan table t (k, g, x, f)",
                "Memory: 0 B",
            ])
        // Times are those of the operators alone: together they are less than the whole.
        var total = Duration.zero
        var node: MeasuredNode? = measured.root
        while let one = node {
            #expect(one.time > .zero)
            total += one.time
            node = one.inputs.first
        }
        #expect(total <= measured.elapsed)
    }
}
