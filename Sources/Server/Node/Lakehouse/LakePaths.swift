import Base

extension Lakehouse {
    /// The path in the store that `text` means, which may be an address inside of the lake.
    func resolved(_ text: String) throws(Problem) -> String {
        if text.contains("://"), let path = store.location?.path(of: text) { return path }
        return try paths.resolved(text)
    }
}

/// Where the paths of statements lead: `delta.'path'`, `parquet.'path'`, and the folders of new tables.
package struct LakePaths: Hashable, Sendable {
    /// How an absolute path begins: `/` or `s3://bucket/`. It stands for the root of the store.
    private let root: String
    /// The folder that other paths begin in, from the root of the store on; empty = the root.
    private let home: String
    private let isConfined: Bool

    /// The paths of a server: a statement must not reach other files of the machine than its lake.
    package static let ofServer = LakePaths(root: "", home: "", isConfined: true)

    /// The paths of a process that works for the one who started it: as that user may.
    package static func anywhere(root: String, home: String) -> LakePaths {
        LakePaths(root: root, home: home, isConfined: false)
    }

    private init(root: String, home: String, isConfined: Bool) {
        self.root = root
        self.home = home
        self.isConfined = isConfined
    }

    /// The path in the store that `text` means, or 42501 when it leads out of what may be reached.
    package func resolved(_ text: String) throws(Problem) -> String {
        var rest = Substring(text)
        let isAbsolute = !root.isEmpty && text.hasPrefix(root)
        if isAbsolute {
            rest = rest.dropFirst(root.count)
        } else if text.contains("://") || text.hasPrefix("/") {
            throw outside(text)
        }
        if rest.utf8.contains(0) { throw outside(text) }
        var parts = isAbsolute ? [] : home.split(separator: "/")
        for part in rest.split(separator: "/") where part != "." {
            if part == "..", isConfined || parts.isEmpty { throw outside(text) }
            if part == ".." { parts.removeLast() } else { parts.append(part) }
        }
        if parts.isEmpty { throw outside(text) }
        return parts.joined(separator: "/")
    }

    /// A path of the store as a statement names it wherever it begins.
    func absolute(_ path: String) -> String { root + path }

    /// The folder of a new table.
    func folder(schema: String, table: String) -> String {
        let folder = "\(schema)/\(table)"
        return home.isEmpty ? folder : home + "/" + folder
    }

    /// What helps when there is nothing at a path.
    var hint: String {
        isConfined
            ? "paths begin below the folder lake of the data directory"
            : "paths begin at \(root)\(home)"
    }

    private func outside(_ text: String) -> Problem {
        if isConfined, text.contains("://") {
            // Whoever may ask the server would read there with the server's credentials.
            return Problem(
                "42501", "the address '\(text.prefix(200))' is not inside of the lake",
                notes: ["a server reads what is in its own lake, and nothing else as itself"],
                hint: "with your own credentials: weir sql \(text.prefix(200)); or copy it into"
                    + " the lake")
        }
        if isConfined {
            return Problem(
                "42501", "the path '\(text.prefix(200))' is not inside of the lake",
                notes: ["paths begin below the folder lake of the data directory"],
                hint: "move or link the folder there, and write its path from there on")
        }
        return Problem(
            "42501", "the path '\(text.prefix(200))' is not inside of \(root)",
            hint: "open the other place: weir sql PLACE")
    }
}
