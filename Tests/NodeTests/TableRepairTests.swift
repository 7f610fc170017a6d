import Base
import Columns
import Delta
import Node
import Testing

/// `FSCK REPAIR TABLE`: each kind of damage, what is done about it, and that the table is whole then.
struct TableRepairTests {
    private func lake(_ settings: String = "\"delta.checkpointInterval\" = 3") throws -> LakeHarness
    {
        let lake = try LakeHarness()
        try lake.run("CREATE TABLE t (id bigint) WITH (\(settings))")
        for id in 1...7 { try lake.run("INSERT INTO t VALUES (\(id))") }
        return lake
    }

    private func log(_ name: String) -> String { "public/t/_delta_log/" + name }

    /// Path, whether it was repaired, and the outcome, of each line.
    private func repair(_ lake: LakeHarness, _ rest: String = "") throws -> [String] {
        try lake.rows("FSCK REPAIR TABLE t \(rest)").map { line in
            let parts = line.split(separator: "|", omittingEmptySubsequences: false)
            return parts[0].split(separator: "/").last.map { "\($0)|\(parts[2])|\(parts[3])" } ?? ""
        }
    }

    @Test func `files that are gone leave the table`() throws {
        let lake = try lake()
        let files = try lake.table("public/t").snapshot().files
        try lake.store.delete("public/t/" + files[2].path)
        try lake.store.delete("public/t/" + files[4].path)
        let version = try lake.table("public/t").snapshot().version
        #expect(
            try repair(lake, "DRY RUN").allSatisfy { $0.contains("|t|removed from the table: 1") })
        #expect(try lake.table("public/t").snapshot().version == version)
        let repaired = try repair(lake)
        #expect(repaired.count == 2)
        #expect(repaired[0].hasSuffix("|t|removed from the table by version 8: 1 rows are lost"))
        #expect(try lake.rows("SELECT id FROM t ORDER BY id") == ["1", "2", "4", "6", "7"])
        #expect(try lake.rows("DESCRIBE HISTORY t")[0].contains("FSCK"))
        #expect(try repair(lake).isEmpty)
    }

    @Test func `an append-only table is not repaired by taking rows away`() throws {
        let lake = try lake("\"delta.appendOnly\" = true")
        try lake.store.delete("public/t/" + lake.table("public/t").snapshot().files[0].path)
        #expect(try repair(lake)[0].contains("|f|rows of this table cannot be removed"))
    }

    @Test func `hints are written anew`() throws {
        let lake = try lake()
        for broken in [#"{"version":99}"#, "no JSON", ""] {
            try lake.store.replace(log("_last_checkpoint"), Bytes(utf8: broken))
            #expect(
                try repair(lake)
                    == ["_last_checkpoint|t|it names the checkpoint of version 6 again"])
            #expect(try repair(lake).isEmpty)
        }
    }

    @Test func `checksums are written anew or deleted`() throws {
        let lake = try lake()
        let newest = LogFileName.checksumName(7)
        try lake.store.replace(
            log(newest), Bytes(utf8: #"{"numFiles":70,"tableSizeBytes":1}"#))
        try lake.store.replace(log(LogFileName.checksumName(2)), Bytes(utf8: "{"))
        #expect(
            try repair(lake) == [
                "\(LogFileName.checksumName(2))|t|deleted",
                "\(newest)|t|written anew from the commits",
            ])
        #expect(try lake.rows("FSCK TABLE t").isEmpty)
        let table = lake.table("public/t")
        #expect(try table.checksumDifference(table.snapshot()) == nil)
    }

    @Test func `checkpoints are written anew from the commits`() throws {
        let lake = try lake()
        // One that cannot be read, and one that tells another story.
        let (third, sixth) = (
            log(LogFileName.checkpointName(3)), log(LogFileName.checkpointName(6))
        )
        let right = try lake.store.get(sixth, range: nil)
        try lake.store.replace(sixth, lake.store.get(third, range: nil))
        try lake.store.replace(third, Bytes(utf8: "PAR1"))
        #expect(try repair(lake, "DRY RUN").count == 2)
        #expect(try lake.store.get(third, range: nil).count == 4)
        #expect(
            try repair(lake) == [
                "\(LogFileName.checkpointName(3))|t|written anew from the commits",
                "\(LogFileName.checkpointName(6))|t|written anew from the commits",
            ])
        #expect(try lake.store.get(sixth, range: nil) == right)
        #expect(try lake.rows("FSCK TABLE t").isEmpty)
    }

    @Test func `without all commits a broken checkpoint goes, or stays and is named`() throws {
        let lake = try lake()
        for version in 0..<3 { try lake.store.delete(log(LogFileName.commitName(Int64(version)))) }
        let sixth = log(LogFileName.checkpointName(6))
        try lake.store.replace(sixth, Bytes(utf8: "PAR1"))
        let repaired = try repair(lake)
        #expect(repaired[0].contains("|t|deleted: the checkpoint of version 3"))
        #expect(try !lake.store.list("public/t", recursive: true).contains { $0.path == sixth })
        #expect(try lake.rows("SELECT count(*) FROM t") == ["7"])
        // Now the last one that the table begins with.
        try lake.store.replace(log(LogFileName.checkpointName(3)), Bytes(utf8: "PAR1"))
        let left = try repair(lake)
        #expect(left.contains { $0.contains("|f|no older checkpoint") })
    }

    @Test func `what nobody can know is named and left`() throws {
        let lake = try lake("\"delta.enableDeletionVectors\" = true")
        try lake.run("INSERT INTO t VALUES (10), (11); DELETE FROM t WHERE id = 10")
        let files = try lake.table("public/t").snapshot().files
        let vector = try #require(
            try lake.store.list("public/t", recursive: true).first {
                $0.path.contains("deletion_vector")
            })
        try lake.store.delete(vector.path)
        try lake.store.replace("public/t/" + files[0].path, Bytes(utf8: "short"))
        let left = try repair(lake)
        #expect(left.count == 2)
        #expect(left.allSatisfy { $0.contains("|f|bring the file back") })
        #expect(try lake.table("public/t").snapshot().version == 9)
    }
}
