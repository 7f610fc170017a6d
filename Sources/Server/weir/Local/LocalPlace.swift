import Base
import Glibc
import ObjectStores
import Runtime

/// A folder or file of this machine, or a part of a bucket, as people write it on a command line.
struct LocalPlace {
    let store: any ObjectStore
    /// The disk from its root on; nil for a bucket.
    let disk: (any Disk)?
    /// How absolute paths begin: `/`, or `s3://bucket/`.
    let root: String
    /// From the root on, without a slash at its ends.
    let path: String

    /// Whether a word that could also be a table of the server is a place: `./x`, `/x`, `s3://x`.
    static func isMeant(by text: String) -> Bool {
        [".", ".."].contains(text)
            || ["./", "../", "/", "s3://", "s3a://"].contains { text.hasPrefix($0) }
    }

    init(_ text: String) throws(Problem) {
        if text.contains("://") {
            var location = try S3Location(parsing: text)
            path = location.prefix
            location.prefix = ""
            root = location.description + "/"
            store = try bucketStore(
                at: location.description, readable: path, settings: S3Settings())
            disk = nil
        } else {
            guard let resolved = realpath(text, nil) else {
                throw Problem(
                    "file.open", "can't open \(text): \(String(cString: strerror(errno)))",
                    hint: text.contains("/")
                        ? nil : "weir sql without a folder asks a server")
            }
            defer { free(resolved) }
            path = String(cString: resolved).split(separator: "/").joined(separator: "/")
            root = "/"
            do throws(StorageFailure) {
                let disk = try FileDisk(shared: "/")
                // What a table names by its address is read inside of the opened folder only.
                store = LocalObjectStore(
                    disk: disk, location: StoreLocation(base: "file:///", readable: path))
                self.disk = disk
            } catch {
                throw Problem("file.open", "can't open \(text)", notes: [error.description])
            }
        }
        guard !path.isEmpty else {
            throw Problem(
                "lake.place", "\(text) is a root, and not a folder in one",
                hint: "write the folder of the tables")
        }
    }

    var text: String { root + path }
}
