// Where tables are kept: below the data directory, in a folder of their own, or in a bucket.

import Base
import Glibc
import ObjectStores
import Runtime

/// The store of the tables of one data directory. The place is written down in it, because a server
/// that looked for its tables in another place would find none and fill new ones from the topics'
/// beginning. `folder` is the absolute path of the data directory.
func lakeStore(
    at url: String?, disk: any Disk, folder: String?, settings: S3Settings
) throws(Problem) -> any ObjectStore {
    var path = url.flatMap { $0.hasPrefix("file:///") ? String($0.dropFirst(7)) : $0 }
    while let long = path, long.hasPrefix("/"), long.hasSuffix("/"), long != "/" {
        path = String(long.dropLast())
    }
    let isFolder = path?.hasPrefix("/") ?? false
    let place = try path.map { (path) throws(Problem) in
        if isFolder { return path }
        guard path.contains("://") else {
            throw Problem(
                "usage.value",
                "--lake is s3://BUCKET/PREFIX or the absolute path of a folder, found \(path)")
        }
        return try S3Location(parsing: path).description
    }
    let isNew = try isFirst(place, disk)
    guard let place else {
        let location = folder.map { StoreLocation(base: "file://" + $0 + "/lake") }
        return LocalObjectStore(disk: disk, root: "lake", location: location)
    }
    let bucket = isFolder ? nil : try bucketStore(at: place, settings: settings)
    do throws(StorageFailure) {
        try bucket?.check()
        let store: any ObjectStore = if let bucket { bucket } else { try folderStore(at: place) }
        if isNew { try disk.replace(placeFile, with: Bytes(utf8: place)) }
        return store
    } catch {
        throw Problem(
            "objects.unusable", "tables can't be kept in \(place)", notes: [error.description],
            hint: isFolder
                ? "make the folder first; it has to be writable for this user, and in a cluster the same"
                    + " on all nodes" : nil)
    }
}

/// A folder that other processes may use, too. It has to be there: who mistypes it would begin an empty lake.
private func folderStore(at path: String) throws(StorageFailure) -> any ObjectStore {
    let disk = try FileDisk(shared: path)
    let location = absolutePath(path).map { StoreLocation(base: "file://" + $0) }
    return LocalObjectStore(disk: disk, root: "", location: location)
}

/// The path from the root on, without links; nil when the system can't tell.
func absolutePath(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
}

/// Where rows wait that do not fit into memory while a statement runs: below the data directory, gone
/// with the process.
func scratchSpace(on disk: any Disk) throws(Problem) -> ScratchSpace {
    do throws(StorageFailure) {
        return try ScratchSpace(disk: disk, folder: "spill")
    } catch {
        throw Problem("storage.failed", "the folder of spilled rows can't be used: \(error)")
    }
}

/// A bucket as this process's environment says how to reach it. Asks nothing yet.
func bucketStore(
    at url: String, readable: String = "", settings: S3Settings
) throws(Problem) -> S3ObjectStore {
    let location = try S3Location(parsing: url)
    var settings = settings
    settings.endpoint =
        settings.endpoint ?? environment("AWS_ENDPOINT_URL_S3") ?? environment("AWS_ENDPOINT_URL")
    if let region = environment("AWS_REGION") ?? environment("AWS_DEFAULT_REGION"),
        settings.region == nil
    {
        settings.region = region
    }
    _ = try credentials()
    return S3ObjectStore(
        location, readable: readable, settings: settings,
        transport: CurlTransport(authorities: settings.authorities),
        random: systemRandom(), credentials: { () throws(Problem) in try credentials() },
        clock: { SystemClock.timestamp },
        pause: { duration in usleep(UInt32(clamping: duration.wholeNanoseconds / 1000)) })
}

/// Asked for each request, so that a file that another program renews is read again.
private func credentials() throws(Problem) -> S3Credentials {
    try S3Credentials.find(
        environment: environment,
        sharedFile: {
            let home = environment("HOME").map { $0 + "/.aws/credentials" }
            guard let path = environment("AWS_SHARED_CREDENTIALS_FILE") ?? home else { return nil }
            return (try? readFile(path))?.validText
        })
}

private let placeFile = "lake.location"

/// Whether the place is to be written down; throws when another one was.
private func isFirst(_ place: String?, _ disk: any Disk) throws(Problem) -> Bool {
    let now = place ?? "lake"
    var before: String?
    do throws(StorageFailure) {
        if disk.exists(placeFile) {
            before = try disk.contents(placeFile).text
        } else if try !disk.list("lake").isEmpty {
            before = "lake"
        }
    } catch {
        throw Problem("storage.failed", "\(placeFile) can't be used: \(error)")
    }
    guard let before else { return place != nil }
    if before == now { return false }
    throw Problem(
        "objects.moved", "the tables of this data directory are in \(before), not in \(now)",
        hint: "start with the --lake of before; to move the tables, copy them and change the file "
            + "\(placeFile) of the data directory")
}
