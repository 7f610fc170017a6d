import Base
import Glibc

/// A file of the simulated disk as one `open` gave it. Behind `close` every call fails, as it does
/// on a real disk: also a sync that was asked for before and whose turn comes after.
///
/// `@unchecked Sendable` is sound because a simulation is one thread; the seam demands `Sendable`
/// for the sake of the Runtime.
package final class SimulatedHandle: DiskFile, @unchecked Sendable {
    package let file: SimulatedFile
    private(set) var isClosed = false

    init(_ file: SimulatedFile) { self.file = file }

    /// What a call behind `close` meets.
    func refusal(_ operation: String) -> StorageFailure {
        .system(operation: operation, path: "file \(file.id)", code: EBADF)
    }

    private func requireOpen(_ operation: String) throws(StorageFailure) {
        if isClosed { throw refusal(operation) }
    }

    package var size: Int64 { isClosed ? 0 : file.size }

    package func read(at position: Int64, count: Int) throws(StorageFailure) -> Bytes {
        try requireOpen("read")
        return try file.read(at: position, count: count)
    }

    package func write(_ pieces: [Bytes], at position: Int64) throws(StorageFailure) {
        try requireOpen("write")
        try file.write(pieces, at: position)
    }

    package func truncate(to size: Int64) throws(StorageFailure) {
        try requireOpen("truncate")
        try file.truncate(to: size)
    }

    package func sync() throws(StorageFailure) {
        try requireOpen("sync")
        try file.sync()
    }

    package func close() { isClosed = true }
}
