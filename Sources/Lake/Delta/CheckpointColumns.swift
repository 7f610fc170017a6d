// The file actions of a checkpoint to and from its columns, without a JSON document for each row: a
// table of ten thousand files has ten thousand of them.

import Base
import Columns

/// Makes the columns of a checkpoint of actions in any order.
struct CheckpointColumns {
    private let actions: [LogAction]
    private let statistics: StatisticsColumns
    /// Statistics are written as texts, too.
    private let keepsText: Bool

    init(_ actions: [LogAction], statistics: StatisticsColumns, keepsText: Bool) {
        self.actions = actions
        self.statistics = statistics
        self.keepsText = keepsText
    }

    func batch(_ schema: TableSchema) -> ColumnBatch {
        var adds: [AddFile] = []
        var removes: [RemoveFile] = []
        var others: [JSONValue] = []
        // For each row which of its kind it is; -1 = of another kind.
        var addRows = [Int32](repeating: -1, count: actions.count)
        var removeRows = addRows
        var otherRows = addRows
        for (row, action) in actions.enumerated() {
            switch action {
            case .add(let file):
                addRows[row] = Int32(adds.count)
                adds.append(file)
            case .remove(let file):
                removeRows[row] = Int32(removes.count)
                removes.append(file)
            default:
                otherRows[row] = Int32(others.count)
                others.append(action.json)
            }
        }
        let columns = schema.fields.map { field in
            switch (field.name, field.type) {
            case ("add", .structure(let members)):
                return Self.spread(
                    Self.structure(members, count: adds.count) { member($0, of: adds) },
                    addRows)
            case ("remove", .structure(let members)):
                return Self.spread(
                    Self.structure(members, count: removes.count) { Self.member($0, of: removes) },
                    removeRows)
            default:
                let values = others.map { Value($0[field.name] ?? .null, field.type) }
                return Self.spread(Column(field.type, values + [.null]), otherRows)
            }
        }
        return ColumnBatch(columns: columns, rowCount: actions.count)
    }

    /// The rows of `column`, whose last one is NULL, where `rows` wants them; -1 = NULL.
    private static func spread(_ column: Column, _ rows: [Int32]) -> Column {
        let last = Int32(column.count - 1)
        return column.gather(rows.map { $0 < 0 ? last : $0 })
    }

    /// A structure of `count` rows and a NULL behind them.
    private static func structure(
        _ members: [Field], count: Int, _ make: (Field) -> Column
    ) -> Column {
        var isThere = Validity(repeating: true, count: count + 1)
        isThere.set(count, false)
        return Column(
            type: .structure(members), data: .structure(members.map(make)), validity: isThere)
    }

    private func member(_ field: Field, of files: [AddFile]) -> Column {
        switch field.name {
        case "stats" where !keepsText: Column.nulls(field.type, count: files.count + 1)
        case "stats_parsed", "partitionValues_parsed":
            Column(field.type, files.map { statistics.value(field, of: $0) } + [.null])
        default: Self.member(field, of: files)
        }
    }

    private static func member(_ field: Field, of files: [AddFile]) -> Column {
        switch field.name {
        case "path": texts(files) { TablePath.encoded($0.path) }
        case "partitionValues": maps(files) { entries($0.partitionValues) }
        case "size": numbers(files) { $0.size }
        case "modificationTime": numbers(files) { $0.modificationTime.milliseconds }
        case "dataChange": flags(files) { $0.dataChange }
        case "stats": texts(files) { $0.statistics }
        case "tags": maps(files) { entries($0.tags) }
        case "deletionVector": vectors(field, files.map(\.deletionVector))
        case "baseRowId": numbers(files) { $0.baseRowID }
        case "defaultRowCommitVersion": numbers(files) { $0.defaultRowCommitVersion }
        case "clusteringProvider": texts(files) { $0.clusteringProvider }
        default: Column.nulls(field.type, count: files.count + 1)
        }
    }

    private static func member(_ field: Field, of files: [RemoveFile]) -> Column {
        switch field.name {
        case "path": texts(files) { TablePath.encoded($0.path) }
        case "deletionTimestamp": numbers(files) { $0.deletionTimestamp?.milliseconds }
        case "dataChange": flags(files) { $0.dataChange }
        case "extendedFileMetadata": flags(files) { $0.partitionValues != nil && $0.size != nil }
        case "partitionValues": maps(files) { $0.partitionValues.map { entries($0) } }
        case "size": numbers(files) { $0.size }
        case "tags": maps(files) { entries($0.tags) }
        case "deletionVector": vectors(field, files.map(\.deletionVector))
        case "baseRowId": numbers(files) { $0.baseRowID }
        case "defaultRowCommitVersion": numbers(files) { $0.defaultRowCommitVersion }
        default: Column.nulls(field.type, count: files.count + 1)
        }
    }

    private typealias Entries = [(key: String, value: String?)]

    private static func entries(_ values: PartitionValues) -> Entries {
        values.entries.map { ($0.column, $0.text) }
    }

    private static func entries(_ tags: [JSONMember]?) -> Entries? {
        tags.map { $0.map { ($0.key, $0.value.stringValue) } }
    }

    // MARK: Columns of `files` and a NULL behind them

    private static func texts<File>(_ files: [File], _ text: (File) -> String?) -> Column {
        var builder = TextBuilder()
        var isThere = Validity(repeating: true, count: files.count + 1)
        for (row, file) in files.enumerated() {
            if let text = text(file) {
                builder.append(text)
            } else {
                builder.appendEmpty()
                isThere.set(row, false)
            }
        }
        builder.appendEmpty()
        isThere.set(files.count, false)
        return Column(type: .text, data: .text(builder.finish()), validity: isThere)
    }

    private static func numbers<File>(_ files: [File], _ number: (File) -> Int64?) -> Column {
        var values: [Int64] = []
        values.reserveCapacity(files.count + 1)
        var isThere = Validity(repeating: true, count: files.count + 1)
        for (row, file) in files.enumerated() {
            let value = number(file)
            values.append(value ?? 0)
            if value == nil { isThere.set(row, false) }
        }
        values.append(0)
        isThere.set(files.count, false)
        return Column(type: .int64, data: .int64(values), validity: isThere)
    }

    private static func flags<File>(_ files: [File], _ flag: (File) -> Bool) -> Column {
        var isThere = Validity(repeating: true, count: files.count + 1)
        isThere.set(files.count, false)
        return Column(
            type: .boolean, data: .boolean(files.map { flag($0) ? 1 : 0 } + [0]),
            validity: isThere)
    }

    private static func maps<File>(_ files: [File], _ entries: (File) -> Entries?) -> Column {
        var offsets: [Int32] = [0]
        offsets.reserveCapacity(files.count + 2)
        var keys = TextBuilder()
        var values = TextBuilder()
        var areThere: [Bool] = []
        var isThere = Validity(repeating: true, count: files.count + 1)
        for (row, file) in files.enumerated() {
            if let list = entries(file) {
                for (key, value) in list {
                    keys.append(key)
                    values.append(value ?? "")
                    areThere.append(value != nil)
                }
            } else {
                isThere.set(row, false)
            }
            offsets.append(Int32(areThere.count))
        }
        isThere.set(files.count, false)
        offsets.append(Int32(areThere.count))
        let validity = areThere.contains(false) ? Validity(areThere) : nil
        return Column(
            type: .map(key: .text, value: .text),
            data: .map(
                offsets: offsets, key: Column(type: .text, data: .text(keys.finish())),
                value: Column(type: .text, data: .text(values.finish()), validity: validity)),
            validity: isThere)
    }

    private static func vectors(_ field: Field, _ vectors: [DeletionVector?]) -> Column {
        guard case .structure(let members) = field.type, vectors.contains(where: { $0 != nil })
        else { return Column.nulls(field.type, count: vectors.count + 1) }
        func small(_ number: (DeletionVector) -> Int64?) -> Column {
            Column(
                .int32,
                vectors.map { vector in
                    vector.flatMap(number).flatMap { Int32(exactly: $0) }.map { .int(Int64($0)) }
                        ?? .null
                } + [.null])
        }
        let columns = members.map { member in
            switch member.name {
            case "storageType": texts(vectors) { $0?.storageType }
            case "pathOrInlineDv": texts(vectors) { $0?.pathOrInline }
            case "offset": small { $0.offset }
            case "sizeInBytes": small { $0.sizeInBytes }
            case "cardinality": numbers(vectors) { $0?.cardinality }
            default: Column.nulls(member.type, count: vectors.count + 1)
            }
        }
        return Column(
            type: field.type, data: .structure(columns),
            validity: Validity(vectors.map { $0 != nil } + [false]))
    }
}

// MARK: Reading

/// The `add` column of a checkpoint, member by member.
struct AddColumnReader {
    private let column: Column
    private let path: Column
    private let size: Column
    private let partitionValues: PartitionColumn?
    private let modificationTime: Column?
    private let dataChange: Column?
    private let statistics: Column

    private struct PartitionColumn {
        var column: Column
        var offsets: [Int32]
        var keys: TextColumn
        var values: Column
        var texts: TextColumn
    }

    /// nil when the column has what only the general way understands: members of other types, typed
    /// statistics in place of texts, deletion vectors, tags or row numbers.
    init?(_ column: Column) {
        guard case .structure(let fields) = column.type,
            case .structure(let members) = column.data
        else { return nil }
        func member(_ name: String) -> Column? {
            fields.firstIndex { $0.name == name }.map { members[$0].flattened }
        }
        func isText(_ column: Column) -> Bool {
            if case .text = column.data { column.type == .text } else { false }
        }
        func isNumber(_ column: Column) -> Bool {
            if case .int64 = column.data { column.type == .int64 } else { false }
        }
        guard let path = member("path"), isText(path), let size = member("size"), isNumber(size),
            let statistics = member("stats"), isText(statistics)
        else { return nil }
        self.column = column
        self.path = path
        self.size = size
        self.statistics = statistics
        modificationTime = member("modificationTime")
        dataChange = member("dataChange")
        if let map = member("partitionValues") {
            guard case .map(let offsets, let key, let value) = map.data,
                case .text(let keys) = key.flattened.data,
                case .text(let texts) = value.flattened.data
            else { return nil }
            partitionValues = PartitionColumn(
                column: map, offsets: offsets, keys: keys, values: value, texts: texts)
        } else {
            partitionValues = nil
        }
        if let modificationTime, !isNumber(modificationTime) { return nil }
        if let dataChange {
            guard case .boolean = dataChange.data else { return nil }
        }
        let known = [
            "path", "size", "stats", "partitionValues", "modificationTime", "dataChange",
        ]
        for (field, member) in zip(fields, members) where !known.contains(field.name) {
            // The typed forms say again what the texts say, where there are texts.
            if field.name == "stats_parsed", statistics.nullCount == column.nullCount { continue }
            if field.name == "partitionValues_parsed", partitionValues != nil { continue }
            if member.nullCount < member.count { return nil }
        }
    }

    /// The files of all rows that are not NULL.
    func files() throws(DecodeFailure) -> [AddFile] {
        guard case .text(let paths) = path.data, case .int64(let sizes) = size.data,
            case .text(let texts) = statistics.data
        else { return [] }
        var moments: [Int64] = []
        if case .int64(let values)? = modificationTime?.data { moments = values }
        var changes: [UInt8] = []
        if case .boolean(let values)? = dataChange?.data { changes = values }
        var files: [AddFile] = []
        files.reserveCapacity(column.count - column.nullCount)
        for row in 0..<column.count where !column.isNull(row) {
            // A structure of nothing is none.
            if path.isNull(row), size.isNull(row) { continue }
            guard !path.isNull(row) else { throw .malformed("'path' is missing", position: 0) }
            guard !size.isNull(row) else { throw .malformed("'size' is missing", position: 0) }
            guard sizes[row] >= 0 else { throw .malformed("negative file size", position: 0) }
            var file = AddFile(
                path: try TablePath.decodedFile(paths.string(row)),
                partitionValues: values(row), size: sizes[row],
                modificationTime: Timestamp(milliseconds: 0))
            if let modificationTime, !modificationTime.isNull(row) {
                file.modificationTime = Timestamp(milliseconds: moments[row])
            }
            if let dataChange, !dataChange.isNull(row) { file.dataChange = changes[row] != 0 }
            if !statistics.isNull(row) { file.statistics = texts.string(row) }
            files.append(file)
        }
        return files
    }

    private func values(_ row: Int) -> PartitionValues {
        guard let map = partitionValues, !map.column.isNull(row),
            map.offsets[row] < map.offsets[row + 1]
        else { return PartitionValues() }
        return PartitionValues(
            (Int(map.offsets[row])..<Int(map.offsets[row + 1])).map { place in
                PartitionValues.Entry(
                    column: map.keys.string(place),
                    text: map.values.isNull(place) ? nil : map.texts.string(place))
            })
    }
}
