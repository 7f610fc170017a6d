import Base
import Columns
import Foundation
import Parquet
import Testing

let goldenFolder = repositoryFolder("data/golden/parquet")

/// The golden files, each with the name of the document that holds its rows.
let golden: [(file: String, document: String)] = {
    guard let data = try? Data(contentsOf: goldenFolder.appendingPathComponent("index.json")),
        let index = try? JSONValue(parsing: Bytes(data))
    else { return [] }
    return (index.members ?? []).map { ($0.key, $0.value.stringValue ?? "") }
}()

func goldenBytes(_ name: String) throws -> Bytes {
    try bytes(of: goldenFolder.appendingPathComponent(name))
}

@Test func `there are golden files of every writer`() {
    for writer in ["pyarrow", "polars", "duckdb", "handmade"] {
        #expect(golden.contains { $0.file.hasPrefix(writer) })
    }
}

@Test(arguments: golden.indices)
func `a file of another writer has the rows it was made of`(index: Int) throws {
    let (file, document) = golden[index]
    let parquet = try ParquetFile(try goldenBytes(file))
    let found = try canonical(parquet)
    let wanted = try JSONValue(parsing: try goldenBytes(document))
    #expect(found["columns"]?.text == wanted["columns"]?.text, "\(file)")
    let rows = (found["rows"]?.arrayValue ?? [], wanted["rows"]?.arrayValue ?? [])
    #expect(rows.0.count == rows.1.count, "\(file)")
    for (row, pair) in zip(rows.0, rows.1).enumerated() where pair.0 != pair.1 {
        Issue.record("\(file) row \(row): \(pair.0.text) / \(pair.1.text)")
        return
    }
}

@Test(arguments: golden.indices)
func `a file that is read by ranges and by columns gives the same`(index: Int) throws {
    let content = try goldenBytes(golden[index].file)
    let whole = try ParquetFile(content)
    let ranged = try ParquetFile(size: Int64(content.count)) { (position, count) in
        content[Int(position)..<min(content.count, Int(position) + count)]
    }
    #expect(ranged.schema == whole.schema)
    for group in whole.rowGroups.indices {
        let all = try whole.read(rowGroup: group)
        for (column, field) in whole.schema.fields.enumerated().reversed() {
            let one = try ranged.read(rowGroup: group, columns: [field.name])
            #expect(one.columns.count == 1)
            let found = rows(one).map { canonical($0[0]) }
            #expect(found == rows(all).map { canonical($0[column]) })
        }
    }
}

@Test(arguments: golden.indices)
func `statistics of other writers hold for their rows`(index: Int) throws {
    let (file, _) = golden[index]
    let parquet = try ParquetFile(try goldenBytes(file))
    for group in parquet.rowGroups.indices {
        let batch = try parquet.read(rowGroup: group)
        for (column, field) in zip(batch.columns, parquet.schema.fields) {
            let bounds = parquet.bounds(rowGroup: group, column: field.name)
            let values = (0..<column.count).map { column.value($0) }
            if let nulls = bounds.nullCount {
                #expect(nulls == Int64(values.count { $0.isNull }), "\(file) \(field.name)")
            }
            for value in values where !value.isNull {
                if let minimum = bounds.minimum, let order = order(of: value, minimum) {
                    #expect(order >= 0, "\(file) \(field.name)")
                }
                if let maximum = bounds.maximum, let order = order(of: value, maximum) {
                    #expect(order <= 0, "\(file) \(field.name)")
                }
                let range = ValueRange.equal(value)
                #expect(parquet.mightMatch(rowGroup: group, column: field.name, range: range))
            }
        }
    }
}

@Test func `text that is all in a dictionary keeps its codes`() throws {
    let parquet = try ParquetFile(try goldenBytes("pyarrow-flat.parquet"))
    let column = try parquet.read(rowGroup: 0, columns: ["text"]).columns[0]
    guard case .dictionary(let codes, let values) = column.data else {
        Issue.record("dictionary codes expected")
        return
    }
    #expect(codes.count == 40)
    #expect(values.count == 4)
    // Where later pages are plain, the codes are resolved.
    let fallback = try ParquetFile(try goldenBytes("pyarrow-fallback.parquet"))
    guard case .text = try fallback.read(rowGroup: 0).columns[0].data else {
        Issue.record("texts expected")
        return
    }
}
