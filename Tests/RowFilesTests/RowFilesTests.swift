import Base
import Columns
import Testing

import RowFiles

private let now = Now(monotonic: Instant(nanoseconds: 0), wallMicroseconds: 0)

private func file(_ text: String) -> RowFile { file(Array(text.utf8)) }

private func file(_ bytes: [UInt8]) -> RowFile {
    RowFile(name: "t.csv", size: Int64(bytes.count)) { (position, count) throws(StorageFailure) in
        Bytes(bytes[Int(position)..<(Int(position) + count)])
    }
}

private func limits(_ chunk: Int) -> RowFileLimits {
    var limits = RowFileLimits()
    limits.chunkBytes = chunk
    return limits
}

/// All records as texts, NULL as nil.
private func records(
    _ text: String, _ options: CSVOptions = CSVOptions(), chunk: Int = 1 << 20
) throws -> [[String?]] {
    var reader = try CSVReader(file(text), options, limits: limits(chunk))
    var rows: [[String?]] = []
    while let batch = try reader.next() {
        for row in batch.lines.indices {
            rows.append(
                batch.columns.map { column in
                    guard !column.isNull(row), case .text(let texts) = column.data else {
                        return nil
                    }
                    return texts.string(row)
                })
        }
    }
    return rows
}

private func message(_ body: () throws -> Void) -> String {
    do {
        try body()
        return "no error"
    } catch let problem as Problem {
        return problem.message
    } catch {
        return "\(error)"
    }
}

@Suite struct CSVReading {
    @Test func fieldsOfEveryForm() throws {
        let text =
            "a,b\r\n1,x\r\n\"2\",\"say \"\"hi\"\", you\"\n\n,\"\"\n\"two\nlines and more\",5\" pipe"
        #expect(
            try records(text) == [
                ["1", "x"], ["2", "say \"hi\", you"], [nil, ""],
                ["two\nlines and more", "5\" pipe"],
            ])
    }

    @Test func theSameInChunksOfAnySize() throws {
        var text = "\u{FEFF}id;name;note\n"
        for row in 0..<200 {
            text += "\(row);\"n\(row)\"\"q\(String(repeating: "é", count: row % 40))\";"
            text += row % 3 == 0 ? "\r\n" : "\"line\r\nbreak;\(row)\"\n"
        }
        var options = CSVOptions()
        options.delimiter = 0x3B
        let whole = try records(text, options)
        #expect(whole.count == 200)
        #expect(whole[4] == ["4", "n4\"qéééé", "line\r\nbreak;4"])
        #expect(whole[3] == ["3", "n3\"qééé", nil])
        for chunk in [1, 2, 3, 7, 64, 1000] {
            #expect(try records(text, options, chunk: chunk) == whole, "chunks of \(chunk)")
        }
    }

    @Test func oneColumnMayBeEmpty() throws {
        #expect(try records("a\n1\n\n3") == [["1"], [nil], ["3"]])
        #expect(try records("a,b\n1,2,\n".replacing(",\n", with: "\n")) == [["1", "2"]])
        #expect(try records("a,b\n1,") == [["1", nil]])
        #expect(try records("") == [])
        #expect(try records("a,b") == [])
    }

    @Test func errorsNameTheLine() {
        #expect(
            message { _ = try records("a,b\n1,2\n\"x\ny\",3\n1,2,3\n") }
                == "t.csv, line 5: the record has 3 fields, expected 2")
        #expect(
            message { _ = try records("a,b\n1,2\n\"x\ny\"z,3\n") }
                == "t.csv, line 4: a character follows the quote that ends a field")
        #expect(message { _ = try records("a\n\"x\n") } == "t.csv, line 2: a quote has no end")
        #expect(
            message {
                var reader = try CSVReader(file(Array("a,b\n1,2\n3,".utf8) + [0xFF, 0x0A]))
                while try reader.next() != nil {}
            } == "t.csv, line 3: the record is not valid UTF-8")
        var small = limits(16)
        small.recordBytesMax = 64
        #expect(
            message {
                let long = "a\n\"" + String(repeating: "x", count: 200)
                var reader = try CSVReader(file(long), limits: small)
                while try reader.next() != nil {}
            } == "t.csv, line 2: a record has no end")
        var same = CSVOptions()
        same.quote = same.delimiter
        #expect(message { _ = try records("a", same) }.contains("two different"))
    }

    @Test func typedRows() throws {
        let fields = [Field("id", .int64), Field("at", .date)]
        var reader = try RowReader(
            file("id,name,at\n1,x,2024-02-29\n,y,\n"), .csv(CSVOptions()), named: fields, now: now)
        let batch = try #require(try reader.next())
        #expect(batch.values(0) == [Value.int(1), .date(days: 19_782)])
        #expect(batch.values(1) == [Value.null, .null])
        #expect(
            message {
                var reader = try RowReader(
                    file("id,name,at\n1,x,2024-02-29\n2,y,2024-02-30\n"), .csv(CSVOptions()),
                    named: fields, now: now)
                _ = try reader.next()
            }.hasPrefix("t.csv, line 3, column \"at\": "))
    }

    @Test func columnsByNameOrInOrder() throws {
        let fields = [Field("b", .int64), Field("a", .text)]
        var reader = try RowReader(
            file("a,b\nx,1\n"), .csv(CSVOptions()), named: fields, now: now)
        #expect(try #require(try reader.next()).values(0) == [Value.int(1), .text("x")])
        reader = try RowReader(file("a,b\n1,x\n"), CSVOptions(), inOrder: fields, now: now)
        #expect(try #require(try reader.next()).values(0) == [Value.int(1), .text("x")])
        var plain = CSVOptions()
        plain.hasHeader = false
        reader = try RowReader(
            file("1,x\n2,y\n"), .csv(plain), named: [Field("column2", .text)], now: now)
        #expect(try reader.next()?.rowCount == 2)
        #expect(
            message {
                _ = try RowReader(
                    file("a\n1\n"), .csv(CSVOptions()), named: fields, now: now)
            } == "t.csv has no column \"b\"")
        #expect(
            message {
                _ = try RowReader(file("a\n1\n"), CSVOptions(), inOrder: fields, now: now)
            } == "t.csv has 1 columns, expected 2")
    }
}

@Suite struct Guessing {
    private func types(_ text: String) throws -> [String] {
        try RowFileForm.csv(CSVOptions()).columns(of: [file(text)], now: now, limits: limits(8)).map
        {
            "\($0.name) \($0.type.sqlName)"
        }
    }

    @Test func typesThatHoldEveryValue() throws {
        #expect(
            try types(
                "i,f,b,d,t,z,s,,i\n1,1,true,2024-01-01,2024-01-01 10:00:00,2024-01-01T10:00:00Z,a,1,9\n"
            )
                == [
                    "i bigint", "f bigint", "b boolean", "d date", "t timestamp without time zone",
                    "z timestamp with time zone",
                    "s text", "column8 bigint", "i_2 bigint",
                ])
        #expect(try types("f\n1\n2.5\n1e5\n") == ["f double precision"])
        #expect(
            try types("d\n2024-01-01\n2024-01-01 10:00:00\n") == ["d timestamp without time zone"])
        #expect(try types("n\n\n\n") == ["n text"])
    }

    @Test func nothingIsLost() throws {
        // Codes keep their zeros, digits beyond a double stay, words are words.
        #expect(try types("c\n007\n") == ["c text"])
        #expect(try types("c\n12345678901234567890\n1.5\n") == ["c text"])
        #expect(try types("c\n9223372036854775808\n") == ["c text"])
        #expect(try types("c\nt\nf\n") == ["c text"])
        #expect(try types("c\ntoday\n") == ["c text"])
        #expect(try types("c\n2024-02-30\n") == ["c text"])
        #expect(try types("c\n1\n\"\"\n") == ["c text"])
        #expect(try types("c\n1\n2024-01-01\n") == ["c text"])
    }

    @Test func jsonLines() throws {
        let text = """
            {"id": 1, "x": 1, "tags": [1], "ok": true, "mixed": 1, "big": 99999999999999999999}

            {"id": 2, "x": 2.5, "tags": null, "late": "y", "mixed": "a"}
            """
        let fields = try RowFileForm.json.columns(of: [file(text)], now: now, limits: limits(8))
        #expect(
            fields.map { "\($0.name) \($0.type.sqlName)" } == [
                "id bigint", "x double precision", "tags jsonb", "ok boolean", "mixed jsonb",
                "big jsonb", "late text",
            ])
        var reader = try RowReader(
            file(text), .json, named: fields, now: now, limits: limits(8))
        var rows: [[Value]] = []
        while let batch = try reader.next() {
            rows += (0..<batch.rowCount).map { batch.values($0) }
        }
        #expect(rows.count == 2)
        #expect(rows[1][0] == .int(2) && rows[1][6] == .text("y"))
        #expect(
            message { _ = try RowFileForm.json.columns(of: [file("{}\n[1]\n")], now: now) }
                == "t.csv, line 2: the line is not a JSON object")
        #expect(
            message {
                var reader = try RowReader(
                    file("{\"id\": 1}\n\n{\"id\": \"x\"}\n"), .json, named: [Field("id", .int64)],
                    now: now)
                _ = try reader.next()
            }.hasPrefix("t.csv, line 3: "))
    }
}

@Suite struct Writing {
    private let fields = [Field("a,b", .text), Field("n", .int64), Field("f", .boolean)]
    private let batch = ColumnBatch(
        columns: [
            Column(.text, [.text("x\"y"), .text(""), .null, .text("é\n")]),
            Column(.int64, [.int(1), .null, .int(-3), .int(4)]),
            Column(.boolean, [.boolean(true), .boolean(false), .null, .boolean(true)]),
        ], rowCount: 4)

    @Test func csvComesBack() throws {
        let writer = try RowWriter(.csv(CSVOptions()), fields: fields)
        let text = writer.head().text + writer.rows(batch).text
        #expect(text == "\"a,b\",n,f\n\"x\"\"y\",1,true\n\"\",,false\n,-3,\n\"é\n\",4,true\n")
        var reader = try RowReader(file(text), .csv(CSVOptions()), named: fields, now: now)
        let back = try #require(try reader.next())
        for row in 0..<4 { #expect(back.values(row) == batch.values(row)) }
    }

    @Test func jsonLinesComeBack() throws {
        let writer = try RowWriter(.json, fields: fields)
        let text = writer.rows(batch).text
        #expect(text.hasPrefix("{\"a,b\":\"x\\\"y\",\"n\":1,\"f\":true}\n"))
        var reader = try RowReader(file(text), .json, named: fields, now: now)
        let back = try #require(try reader.next())
        for row in 0..<4 { #expect(back.values(row) == batch.values(row)) }
    }
}

/// Whatever the bytes are: rows or an error, in bounded time.
@Suite struct DamagedFiles {
    @Test func anyBytes() {
        var random = Random(seed: 7)
        let alphabet: [UInt8] = [0x2C, 0x22, 0x0A, 0x0D, 0x61, 0x31, 0xC3, 0xA9, 0x7B, 0x7D, 0x3A]
        for _ in 0..<3000 {
            let bytes = (0..<Int(random.next() % 60)).map { _ in
                alphabet[Int(random.next() % UInt64(alphabet.count))]
            }
            let chunk = limits(1 + Int(random.next() % 9))
            var counts: [Int] = []
            for form in [RowFileForm.csv(CSVOptions()), .json] {
                do throws(Problem) {
                    let fields = try form.columns(of: [file(bytes)], now: now, limits: chunk)
                    var reader = try RowReader(
                        file(bytes), form, named: fields, now: now, limits: chunk)
                    var rows = 0
                    while let batch = try reader.next() { rows += batch.rowCount }
                    counts.append(rows)
                } catch {
                    #expect(error.code.utf8.count == 5, "\(error)")
                }
            }
            #expect(counts.allSatisfy { $0 <= bytes.count })
        }
    }
}
