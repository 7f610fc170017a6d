// Folders of tables that are about to be in the catalog, or to leave it. They are noted in the node's
// metadata before, and the note goes afterwards: of a crash in between the next start finds the note,
// and deletes the folder when no object of the catalog has it. In a cluster a note names its node, which
// is the one to look at it.

import Base
import Catalog

extension Lakehouse {
    /// The note about the folder `x/y` is the object `folder/x/y`.
    private static let notePrefix = "folder/"

    func noteFolder(_ path: String) throws(Problem) {
        var note: JSONValue = [:]
        if let sharing { note = ["node": .int(sharing.node), "life": .string(life)] }
        try change(note: path, note.serialized())
    }

    /// A note that stays says nothing wrong: the next start looks at the catalog.
    func forgetFolder(_ path: String) {
        try? change(note: path, nil)
    }

    private func change(note path: String, _ content: Bytes?) throws(Problem) {
        _ = try port.call(.changeObjects([ObjectChange(Self.notePrefix + path, content)]))
    }

    /// Deletes a folder that is in no catalog, or leaves it to the next start.
    func discardFolder(_ path: String) {
        do throws(Problem) {
            try deleteFiles(path)
            forgetFolder(path)
        } catch {
            diagnostics.report(.warning, "lake", "\(error), the next start tries again")
        }
    }

    /// Whatever the last process of this node left undone. Nobody else may work on its folders.
    func settleFolders() throws(Problem) {
        guard case .objects(let notes) = try port.call(.listObjects(prefix: Self.notePrefix)) else {
            throw unexpectedAnswer("listObjects")
        }
        if notes.isEmpty { return }
        let owned = Set(catalog.image.relations.compactMap(\.path))
        for note in notes {
            if let sharing {
                let text = try? JSONValue(parsing: note.content)
                // Those of this life are about work that goes on.
                guard text?["node"]?.intValue == Int64(sharing.node),
                    text?["life"]?.stringValue != life
                else { continue }
            }
            let path = String(note.name.dropFirst(Self.notePrefix.count))
            if owned.contains(path) { forgetFolder(path) } else { discardFolder(path) }
        }
    }
}
