// Row tracking: every row of the table has a number of its own, its file's `baseRowId` plus its
// place in the file, and the version that wrote it, the file's `defaultRowCommitVersion`. The highest
// number that was given is in the domain `delta.rowTracking`: {"rowIdHighWaterMark":n}.
//
// With the feature in the protocol every added file gets numbers. With `delta.enableRowTracking` rows
// keep theirs when they move to another file, which we cannot write: then only what moves no row is
// possible, appends and deletes.

import Base

enum RowTracking {
    static let feature = "rowTracking"
    static let domain = "delta.rowTracking"
    static let setting = "delta.enableRowTracking"

    /// The highest row number that was given in `snapshot`; -1 when none was.
    static func highWaterMark(_ snapshot: TableSnapshot) throws(DeltaFailure) -> Int64 {
        guard let text = snapshot.domains[domain]?.configuration else { return -1 }
        guard let json = try? JSONValue(parsing: text),
            let mark = json["rowIdHighWaterMark"]?.intValue, mark >= -1
        else {
            throw .corrupt(
                path: "_delta_log", detail: "the domain \(domain) holds no rowIdHighWaterMark")
        }
        return mark
    }

    /// Gives the files that have no numbers theirs, behind those of `base`, and returns the domain
    /// as it is afterwards; nil when nothing changes. Files of a version that is restored keep what
    /// they had.
    static func assign(
        _ files: inout [AddFile], after base: TableSnapshot, version: Int64
    ) throws(DeltaFailure) -> DomainMetadata? {
        let before = try highWaterMark(base)
        var mark = before
        for index in files.indices where files[index].baseRowID == nil {
            guard let rows = files[index].recordedRowCount else {
                throw .invalid(
                    "\(files[index].path) does not say how many rows it has, which row tracking"
                        + " needs")
            }
            files[index].baseRowID = mark + 1
            files[index].defaultRowCommitVersion = version
            let (sum, overflow) = mark.addingReportingOverflow(rows)
            guard !overflow else { throw .invalid("the table has no row numbers left") }
            mark = sum
        }
        if mark == before { return nil }
        let text = JSONValue.object([JSONMember("rowIdHighWaterMark", .int(mark))]).text
        return DomainMetadata(domain: domain, configuration: text, isRemoved: false)
    }
}

extension TableMetadata {
    /// Rows keep their numbers when they move.
    var keepsRowNumbers: Bool { flag(RowTracking.setting) }

    /// The same settings with names for the columns that would hold the numbers of moved rows,
    /// which the format wants as soon as tracking is on.
    func namingRowTrackingColumns(random: inout Random) -> TableMetadata {
        guard keepsRowNumbers else { return self }
        var named = self
        for (key, stem) in [
            ("delta.rowTracking.materializedRowIdColumnName", "_row-id-col-"),
            (
                "delta.rowTracking.materializedRowCommitVersionColumnName",
                "_row-commit-version-col-"
            ),
        ] where named.configuration[key] == nil {
            named.configuration[key] = stem + random.uuid().description
        }
        return named
    }
}
