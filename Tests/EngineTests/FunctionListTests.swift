import Base
import Columns
import Engine
import Foundation
import SQL
import Testing

/// The list of functions: every example gives what it says, and the page is written from the list.
@Suite struct FunctionListTests {
    private static let page = URL(fileURLWithPath: #filePath)
        .appending(path: "../../../docs/operating/sql-functions.md").standardizedFileURL

    @Test func `every example gives the result that stands beside it`() {
        #expect(FunctionCatalog.entries.count > 250)
        for entry in FunctionCatalog.entries where !entry.example.isEmpty {
            let lines = answer("SELECT " + entry.example)
            #expect(
                lines.joined(separator: ", ") == entry.result, "\(entry.name): \(entry.example)")
        }
    }

    @Test func `every entry says what it does and shows it`() {
        for entry in FunctionCatalog.entries {
            #expect(!entry.forms.isEmpty, "\(entry.name)")
            #expect(entry.summary.hasSuffix("."), "\(entry.name)")
            #expect(!entry.example.isEmpty, "\(entry.name)")
        }
    }

    @Test func `names are listed once in their kind`() {
        var seen: Set<String> = []
        for entry in FunctionCatalog.entries {
            for name in [entry.name] + entry.aliases {
                #expect(seen.insert("\(entry.kind) \(name)").inserted, "\(name)")
            }
        }
    }

    @Test func `the page about functions is that of the list`() throws {
        if ProcessInfo.processInfo.environment["WEIR_REWRITE_PAGES"] == "1" {
            try FunctionPage.text.write(to: Self.page, atomically: true, encoding: .utf8)
        }
        let written = try String(contentsOf: Self.page, encoding: .utf8)
        #expect(
            written == FunctionPage.text,
            "refresh it with WEIR_REWRITE_PAGES=1 swift test --filter FunctionListTests")
    }

    @Test func `a misspelt name is answered with the nearest one`() throws {
        #expect(answer("SELECT wdith_bucket(1, 2)")[0].hasPrefix("42883"))
        let problem = #expect(throws: Problem.self) {
            guard
                case .query(let query) = try Parser.statement("SELECT jsonb_pretti('1')").statement
            else { return }
            var binder = Binder(provider: Nothing())
            _ = try binder.plan(query)
        }
        #expect(problem?.hint == "did you mean \"jsonb_pretty\"?")
    }

    private struct Nothing: SchemaProvider {
        func relation(_ name: QualifiedName) throws(Problem) -> RelationDescription? { nil }
        func relationNames() -> [QualifiedName] { [] }
    }
}
