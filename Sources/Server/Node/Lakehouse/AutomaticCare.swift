// What is done for the tables of this node without being asked: checkpoints that commits have made
// due, small files merged, versions and files deleted that the table's settings no longer keep.
//
// It never stands in the way. A merge that somebody's change contradicts is dropped and tried again
// later; statements that a merge contradicts are run again by themselves. After each piece of work
// it rests so long that it keeps to its share of time.

import Base
import Catalog
import Delta

/// The bounds of automatic maintenance.
package struct CareSettings: Sendable {
    package var period = Duration.seconds(1)
    /// Hundredths of the time of one thread.
    package var sharePercent: Int64 = 10
    /// Commits to a table before its files are looked at again.
    package var commitsBetweenLooks: Int64 = 20
    /// Commits to a table between two searches for what has expired.
    package var commitsBetweenCleanings: Int64 = 100
    /// Small files of one partition that are worth a merge.
    package var filesMin = 16
    /// Bytes of files that one merge reads: they bound its time and memory.
    package var inputBytesMax: Int64 = 64 << 20

    package init() {}
}

/// How far the care of one table has come.
struct CareState: Sendable {
    var lookedAt: Int64 = 0
    var cleanedAt: Int64 = 0
}

extension Lakehouse {
    /// The table setting that switches merging and cleaning off; checkpoints are written always.
    package static let careSetting = "weir.maintenance"

    /// One round: the checkpoints that are due, and at most one other piece of work.
    package func careForTables(_ settings: CareSettings = CareSettings()) {
        let began = clock().monotonic
        sessions.endIdleTransactions(now: began)
        let owned = openTables()
        for (name, table) in owned where table.writeDueCheckpoint() != nil {
            catalog.recordActivity(of: name) { $0.care.checkpoints += 1 }
        }
        guard isCareRested(at: began) else { return }
        for (name, table) in owned {
            guard let object = catalog.image.object(name), let snapshot = table.cachedSnapshot,
                snapshot.metadata.configuration[Self.careSetting]?.lowercased() != "off"
            else { continue }
            if care(for: object, table, snapshot, settings) {
                let took = clock().monotonic - began
                let rest = took * Int((100 - settings.sharePercent) / settings.sharePercent)
                restCare(until: began + took + rest, startingBehind: name)
                return
            }
        }
    }

    /// Returns whether there was something to do.
    private func care(
        for object: CatalogObject, _ table: DeltaTable, _ snapshot: TableSnapshot,
        _ settings: CareSettings
    ) -> Bool {
        var state = careState(of: object.name)
        if snapshot.version < state.lookedAt { state = CareState() }
        let isLookDue = snapshot.version - state.lookedAt >= settings.commitsBetweenLooks
        let isCleaningDue = snapshot.version - state.cleanedAt >= settings.commitsBetweenCleanings
        // A view is written anew as a whole: it has no small files that stay.
        let merges = isLookDue && object.kind != .materializedView
        guard merges || isCleaningDue else { return false }
        var figures = CatalogActivity.Care()
        do throws(DeltaFailure) {
            if merges {
                state.lookedAt = snapshot.version
                if let version = try merge(table, settings, &figures) {
                    // What is left of a large backlog is looked at in the next round.
                    state.lookedAt = version - settings.commitsBetweenLooks
                }
            }
            if isCleaningDue {
                state.cleanedAt = snapshot.version
                let now = clock()
                figures.filesRemoved += Int64(try table.removeExpiredFiles(now: now).paths.count)
                figures.filesRemoved += Int64(try table.cleanUpLog(now: now).paths.count)
            }
        } catch {
            // The table is as good as before; a later round tries again.
            figures.problem = "\(error)"
            diagnostics.report(.warning, "lake", "maintenance of \(object.name): \(error)")
        }
        keepCareState(state, of: object.name)
        let moment = clock().timestamp
        catalog.recordActivity(of: object.name) { $0.care.add(figures, at: moment) }
        if figures.merges > 0 { updateActivity(of: object) }
        return true
    }

    /// Merges small files; nil when there was nothing to merge, or when a change of somebody else
    /// came first.
    private func merge(
        _ table: DeltaTable, _ settings: CareSettings, _ figures: inout CatalogActivity.Care
    ) throws(DeltaFailure) -> Int64? {
        var options = CompactionOptions()
        options.filesMin = settings.filesMin
        options.inputBytesMax = settings.inputBytesMax
        options.isAutomatic = true
        options.memoryBytesMax = Int64(limits.orderedBytes)
        options.scratch = limits.scratch
        let before = try table.snapshot().fileCount
        var random = withRandom { $0.fork() }
        do throws(DeltaFailure) {
            guard let version = try table.compact(options, random: &random, now: clock()) else {
                return nil
            }
            figures.merges += 1
            let after = table.cachedSnapshot?.fileCount ?? before
            figures.filesMerged += Int64(max(0, before - after + 1))
            return version
        } catch {
            guard case .conflict = error else { throw error }
            figures.dropped += 1
            return nil
        }
    }
}
