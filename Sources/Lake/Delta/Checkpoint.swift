// A checkpoint: what the log adds up to at a version, as rows of a Parquet file with one structure
// column for each kind of action, all but one of them NULL in each row.

import Base

/// Reads checkpoints into actions.
struct CheckpointReader {
    let log: CommitLog

    func read(_ checkpoint: CommitLog.Checkpoint) throws(DeltaFailure) -> [LogAction] {
        throw .corrupt(path: checkpoint.files.first ?? log.path, detail: "checkpoints are not read yet")
    }
}

extension DeltaTable {
    /// Writes the checkpoint of `snapshot` and the hint that names it.
    package func writeCheckpoint(of snapshot: TableSnapshot) throws(DeltaFailure) {
        throw .invalid("checkpoints are not written yet")
    }
}
