import Base
import Columns

/// Reads `bytes` as what a table's log may hold, as the fuzzer and the tests of damaged files do:
/// the first byte says as what. Whatever the bytes are, this returns.
package func exerciseDelta(_ bytes: Bytes) {
    guard bytes.count > 1 else { return }
    let content = bytes[1..<bytes.count]
    if bytes[0] % 2 == 0 {
        exerciseBitmap(content)
    } else {
        exerciseCommit(content)
    }
}

private func exerciseBitmap(_ content: Bytes) {
    guard let rows = try? RowBitmap(decoding: content) else { return }
    let again = try? RowBitmap(decoding: rows.encoded())
    precondition(again == rows, "a bitmap comes back from its own bytes")
    _ = rows.rowsOutside(of: 0..<200_000)
    var union = rows
    union.formUnion(RowBitmap([Int64(1), 70_000]))
    precondition(union.subtracting(rows).count <= 2, "what was added is at most two rows")
}

private func exerciseCommit(_ content: Bytes) {
    guard let actions = try? LogAction.parse(content) else { return }
    _ = try? LogAction.parse(LogAction.serialized(actions))
    var builder = TableSnapshot.Builder()
    guard
        (try? builder.apply(
            actions, version: 0, timestamp: Timestamp(milliseconds: 0), path: "t")) != nil,
        let snapshot = try? builder.finish(path: "t")
    else { return }
    let table = DeltaTable(
        store: LocalObjectStore(
            disk: MemoryDisk(), location: StoreLocation(base: "file:///lake")), path: "t")
    for file in snapshot.files {
        let again = try? TablePath.decodedFile(TablePath.encoded(file.path))
        precondition(again == file.path, "the log names a file as it was named")
        if let place = try? table.location(of: file.path) {
            precondition(
                !place.split(separator: "/").contains(".."), "no path leads out of the store")
        }
        _ = file.deletionVector?.filePath(in: table)
        _ = file.recordedRowCount
        for field in snapshot.schema.fields {
            _ = snapshot.mightMatch(file, column: field.name, lower: .int(1), upper: .int(2))
            _ = FileStatistics(file)?.maximum([field.name], field.type)
        }
    }
    _ = snapshot.metadata.rowConditions
    _ = VersionChecksum(snapshot)
}
