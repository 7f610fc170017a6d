// Runs Tests/Scripts/*.test: SQL beside the answers that PostgreSQL gave (scripts/golden-sql.py).

import Base
import Columns
import Engine
import Foundation
import SQL
import Testing

/// One query of a script and what it must answer.
struct ScriptBlock {
    enum Expectation { case rows, anyOrder, error }

    var expectation: Expectation
    var sql: String
    var answer: [String]

    /// The blocks of a script; comments are left out.
    static func parse(_ text: String) -> [ScriptBlock] {
        text.components(separatedBy: "\n\n").compactMap { block in
            let lines = block.split(separator: "\n", omittingEmptySubsequences: false)
                .map(String.init)
            guard let start = lines.firstIndex(where: { $0.hasPrefix("query") }),
                let divider = lines.firstIndex(of: "----")
            else { return nil }
            let expectation: Expectation =
                switch lines[start] {
                case "query rowsort": .anyOrder
                case "query error": .error
                default: .rows
                }
            return ScriptBlock(
                expectation: expectation,
                sql: lines[(start + 1)..<divider].joined(separator: "\n"),
                answer: lines[(divider + 1)...].filter { !$0.isEmpty })
        }
    }
}

struct NoRelations: SchemaProvider {
    func relation(_ name: QualifiedName) throws(Problem) -> RelationDescription? { nil }
    func relationNames() -> [QualifiedName] { [] }
}

/// What the engine answers to `sql`, in the form of the scripts.
func answer(_ sql: String) -> [String] {
    do {
        guard case .query(let query) = try Parser.statement(sql).statement else {
            return ["not a query"]
        }
        var binder = Binder(provider: NoRelations())
        let plan = try binder.plan(query)
        let result = try QueryExecutor.execute(plan, NoTables(), testContext())
        var lines: [String] = []
        for batch in result.batches {
            for row in 0..<batch.rowCount {
                let line = batch.columns.map { textForm($0, row) ?? "NULL" }
                    .joined(separator: "|")
                lines.append(line.isEmpty ? "(empty)" : line)
            }
        }
        return lines
    } catch {
        return ["\(error.code) \(error.message)"]
    }
}

@Suite struct ScriptTests {
    static let directory = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Scripts")

    static let scripts: [String] = {
        let files = try? FileManager.default.contentsOfDirectory(atPath: directory.path)
        return (files ?? []).filter { $0.hasSuffix(".test") }.sorted()
    }()

    @Test func `there are scripts`() { #expect(Self.scripts.count >= 12) }

    @Test(arguments: scripts)
    func `a script's queries answer as PostgreSQL does`(script: String) throws {
        let file = Self.directory.appendingPathComponent(script)
        let blocks = ScriptBlock.parse(try String(contentsOf: file, encoding: .utf8))
        #expect(!blocks.isEmpty)
        for block in blocks {
            var found = answer(block.sql)
            if block.expectation == .anyOrder {
                found.sort { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
            }
            #expect(found == block.answer, "\(script): \(block.sql)")
        }
    }
}
