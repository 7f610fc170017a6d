/// The words with a meaning in the grammar. Most of them are still allowed as names.
package enum Keyword: String, CaseIterable, Hashable, Sendable {
    case add, after, alert, all, alter, always, analyze, and, any, array, `as`, asc, asof
    case auto, begin, between, bigint, bit, boolean, both, by, cascade, `case`, cast, character,
        check
    case close, cluster, coalesce, collate, column, columns, comment, commit, concurrently
    case connection, constraint, copy, create, cross, current, currentCatalog = "current_catalog"
    case currentDate = "current_date", currentRole = "current_role"
    case currentSchema = "current_schema", currentTime = "current_time"
    case currentTimestamp = "current_timestamp", currentUser = "current_user"
    case data, database, day, deallocate, dec, decimal, declare, `default`, delete, desc, describe
    case discard, distinct, drop, `else`, emit, encode, end, enforced, escape, except, execute,
        exists
    case expect, explain, extract, fail, `false`, fetch, filter, first, float, flow, following,
        `for`
    case foreign, format, from, full, function, grant, greatest, group, grouping, having, history
    case hop, hour, `if`, ilike, immediate, `in`, incremental, index, initially, inner, insert, int
    case integer, intersect, interval, into, `is`, isnull, join, key, last, lateral, leading, least
    case left, like, limit, local, localtime, localtimestamp, lock, match, matched, materialized,
        merge
    case minute, month, natural, next, no, not, nothing, notnull, null, nullif, nulls, numeric, of
    case off, offset, on, only, optimize, option, or, order, ordinality, outer, over, overlaps,
        owner
    case partition, partitioned, placing, plain, policy, position, preceding, precision, prepare
    case primary, quarantine, range, real, recursive, references, refresh, release, rename, repair
    case replace, reset, restore, restrict, returning, revoke, right, role, rollback, row, rows
    case savepoint, schema, schemas, second, secret, select, sequence, session
    case sessionUser = "session_user", set, setof, show, similar, sink, smallint, some, source,
        start
    case stream, streaming, subscribe, subscription, substring, symmetric, system
    case systemTime = "system_time", system_user, table, tables, tablesample, tag, task, temp
    case temporary, test, text, then, ties, time, timestamp, to, topic, topics, trailing,
        transaction
    case treat, trim, `true`, truncate, tryCast = "try_cast", tumble, unbounded, union, unique,
        unknown
    case unset, update, use, user, using, vacuum, values, varchar, verbose, version, view, views
    case violation, wait, watermark, when, `where`, window, with, within, without, work, year, zone

    /// Never a column or table name without quotes.
    package var isReserved: Bool { kind == .reserved || kind == .typeOrFunction }

    enum Kind { case ordinary, columnName, typeOrFunction, reserved }

    /// PostgreSQL's four classes: `columnName` words can't name functions, `typeOrFunction` words
    /// can't name columns or tables.
    var kind: Kind {
        switch self {
        case .all, .analyze, .and, .any, .array, .as, .asc, .both, .case, .cast, .check, .collate,
            .column, .constraint, .create, .currentCatalog, .currentDate, .currentRole,
            .currentTime, .currentTimestamp, .currentUser, .default, .desc, .distinct, .else, .end,
            .except, .false, .fetch, .for, .foreign, .from, .grant, .group, .having, .in,
            .initially, .intersect, .into, .lateral, .leading, .limit, .localtime,
            .localtimestamp, .not, .null, .offset, .on, .only, .or, .order, .placing, .primary,
            .references, .returning, .select, .sessionUser, .some, .symmetric, .table, .then, .to,
            .trailing, .true, .union, .unique, .user, .using, .when, .where, .window, .with:
            .reserved
        case .concurrently, .cross, .currentSchema, .full, .ilike, .inner, .is, .isnull, .join,
            .left, .like, .natural, .notnull, .outer, .overlaps, .right, .similar, .tablesample,
            .verbose:
            .typeOrFunction
        case .between, .bigint, .bit, .boolean, .character, .coalesce, .dec, .decimal, .exists,
            .extract, .float, .greatest, .grouping, .int, .integer, .interval, .least, .nullif,
            .numeric, .position, .precision, .real, .row, .setof, .smallint, .substring, .time,
            .timestamp, .treat, .trim, .tryCast, .values, .varchar:
            .columnName
        default: .ordinary
        }
    }

    /// Words that end a select item rather than name it when `AS` is missing, beyond the reserved.
    var canBeBareLabel: Bool {
        switch self {
        case .day, .filter, .hour, .minute, .month, .over, .precision, .second, .within, .without,
            .year, .emit, .isnull, .notnull, .overlaps:
            false
        default: kind != .reserved || Keyword.reservedLabels.contains(self)
        }
    }

    /// Reserved words that PostgreSQL accepts as a label without `AS`.
    private static let reservedLabels: Set<Keyword> = [
        .all, .analyze, .and, .any, .asc, .both, .case, .cast, .check, .collate, .column,
        .constraint, .currentCatalog, .currentDate, .currentRole, .currentTime, .currentTimestamp,
        .currentUser, .default, .desc, .distinct, .else, .end, .false, .foreign, .in, .initially,
        .lateral, .leading, .localtime, .localtimestamp, .not, .null, .only, .or, .placing,
        .primary, .references, .select, .sessionUser, .some, .symmetric, .table, .then, .trailing,
        .true, .unique, .user, .using, .when,
    ]

    /// Whether `text` in lower case must be quoted as a name, here or in PostgreSQL.
    package static func needsQuotes(_ text: String) -> Bool {
        if let keyword = named(text) { return keyword.kind != .ordinary }
        return furtherReserved.contains(text)
    }

    /// Words of PostgreSQL's grammar that mean nothing here.
    private static let furtherReserved: Set<String> = [
        "asymmetric", "authorization", "binary", "collation", "deferrable", "do", "except",
        "freeze", "inout", "national", "nchar", "none", "normalize", "out", "overlay",
        "variadic", "xmlattributes", "xmlconcat", "xmlelement", "xmlexists", "xmlforest",
        "xmlnamespaces", "xmlparse", "xmlpi", "xmlroot", "xmlserialize", "xmltable",
    ]

    /// The keyword spelled by folded `text`.
    static func named(_ text: String) -> Keyword? { bySpelling[text] }

    private static let bySpelling = Dictionary(
        uniqueKeysWithValues: allCases.map { ($0.rawValue, $0) })
}
