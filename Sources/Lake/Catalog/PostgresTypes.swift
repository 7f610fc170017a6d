import Columns

/// The types of PostgreSQL with the numbers that every client knows.
enum PostgresTypes {
    struct Known {
        var oid: Int64
        var array: Int64
        var name: String
        /// −1 = of any length.
        var bytes: Int
        var category: String
    }

    private static let jsonb = Known(
        oid: 3802, array: 3807, name: "jsonb", bytes: -1, category: "U")

    private static let known: [Known] = [
        Known(oid: 16, array: 1000, name: "bool", bytes: 1, category: "B"),
        Known(oid: 17, array: 1001, name: "bytea", bytes: -1, category: "U"),
        Known(oid: 18, array: 1002, name: "char", bytes: 1, category: "Z"),
        Known(oid: 19, array: 1003, name: "name", bytes: 64, category: "S"),
        Known(oid: 20, array: 1016, name: "int8", bytes: 8, category: "N"),
        Known(oid: 21, array: 1005, name: "int2", bytes: 2, category: "N"),
        Known(oid: 23, array: 1007, name: "int4", bytes: 4, category: "N"),
        Known(oid: 25, array: 1009, name: "text", bytes: -1, category: "S"),
        Known(oid: 26, array: 1028, name: "oid", bytes: 4, category: "N"),
        Known(oid: 114, array: 199, name: "json", bytes: -1, category: "U"),
        Known(oid: 700, array: 1021, name: "float4", bytes: 4, category: "N"),
        Known(oid: 701, array: 1022, name: "float8", bytes: 8, category: "N"),
        Known(oid: 1043, array: 1015, name: "varchar", bytes: -1, category: "S"),
        Known(oid: 1082, array: 1182, name: "date", bytes: 4, category: "D"),
        Known(oid: 1083, array: 1183, name: "time", bytes: 8, category: "D"),
        Known(oid: 1114, array: 1115, name: "timestamp", bytes: 8, category: "D"),
        Known(oid: 1184, array: 1185, name: "timestamptz", bytes: 8, category: "D"),
        Known(oid: 1186, array: 1187, name: "interval", bytes: 16, category: "T"),
        Known(oid: 1700, array: 1231, name: "numeric", bytes: -1, category: "N"),
        Known(oid: 2950, array: 2951, name: "uuid", bytes: 16, category: "U"),
        jsonb,
    ]

    /// The type and, for lists, that of the array. What PostgreSQL has not is shown as jsonb.
    static func type(of type: ColumnType) -> (oid: Int64, bytes: Int) {
        if case .list(let element) = type {
            var inner = element
            while case .list(let next) = inner { inner = next }
            return (plain(inner).array, -1)
        }
        let found = plain(type)
        return (found.oid, found.bytes)
    }

    private static func plain(_ type: ColumnType) -> Known {
        known.first { $0.name == type.internalName } ?? jsonb
    }

    static func dimensions(of type: ColumnType) -> Int64 {
        if case .list(let element) = type { return 1 + dimensions(of: element) }
        return 0
    }

    /// `atttypmod`: precision and scale of numerics, as PostgreSQL packs them.
    static func modifier(of type: ColumnType) -> Int64 {
        if case .decimal(let precision, let scale) = type {
            return Int64(precision << 16 | scale) + 4
        }
        return -1
    }

    static var rows: [PostgresRow] {
        known.flatMap { type in
            [
                // A name is an array of 64 characters, which are not arrays of anything.
                row(
                    type, name: type.name, bytes: type.bytes, category: type.category,
                    oid: type.oid, element: type.name == "name" ? 18 : 0, array: type.array),
                row(
                    type, name: "_" + type.name, bytes: -1, category: "A", oid: type.array,
                    element: type.oid, array: 0),
            ]
        }
    }

    private static func row(
        _ type: Known, name: String, bytes: Int, category: String, oid: Int64, element: Int64,
        array: Int64
    ) -> PostgresRow {
        let stem = category == "A" ? "array_" : name
        let isPassedByValue = bytes > 0 && bytes <= 8
        let collation: Int64 = type.category == "S" ? (type.name == "name" ? 950 : 100) : 0
        return PostgresRow([
            "oid": .int(oid), "typname": .text(name), "typnamespace": .int(11),
            "typowner": .int(10), "typlen": .int(Int64(bytes)),
            "typbyval": .boolean(isPassedByValue), "typtype": .text("b"),
            "typcategory": .text(category),
            "typispreferred": .boolean(
                ["bool", "text", "float8", "timestamptz", "interval", "oid"].contains(name)),
            "typisdefined": .boolean(true), "typdelim": .text(","), "typrelid": .int(0),
            "typelem": .int(element), "typarray": .int(array), "typinput": .text(stem + "in"),
            "typoutput": .text(stem + "out"), "typreceive": .text(stem + "recv"),
            "typsend": .text(stem + "send"), "typalign": .text(bytes == 8 ? "d" : "i"),
            "typstorage": .text(bytes > 0 ? "p" : "x"), "typnotnull": .boolean(false),
            "typbasetype": .int(0), "typtypmod": .int(-1), "typndims": .int(0),
            "typcollation": .int(collation),
        ])
    }
}
