import Base
import Node
import Runtime
import SQL

/// Who answers statements and questions about tables: a server over HTTP, or this process itself.
protocol QueryService: Sendable {
    /// For people: the address of the server, or the folder.
    var place: String { get }
    /// The JSON that the endpoint answers; an error answer is thrown as its problem.
    func json(
        _ method: String, _ path: String, body: JSONValue?
    ) throws(Problem) -> JSONValue
}

extension QueryService {
    func json(_ method: String, _ path: String) throws(Problem) -> JSONValue {
        try json(method, path, body: nil)
    }
}

extension HTTPClient: QueryService {
    var place: String { server.text }
}

extension CommandContext {
    /// The server, or the tables at `place` in this process.
    func service(at place: String?) throws(Problem) -> any QueryService {
        guard let place else { return try http() }
        return try LocalLake(at: place)
    }

    /// The table in the first argument. A folder of this machine and a bucket need no server.
    func namedTable() throws(Problem) -> NamedTable {
        let text = invocation.arguments[0]
        if LocalPlace.isMeant(by: text) {
            let lake = try LocalLake(at: text)
            let table = try lake.onlyTable()
            return NamedTable(
                service: lake, name: "\(table.schema).\(table.name)",
                sql: quotedIdentifier(table.schema) + "." + quotedIdentifier(table.name))
        }
        if text.contains("/") {
            let path = text.split(separator: "'", omittingEmptySubsequences: false)
            return NamedTable(
                service: try http(), name: text, sql: "delta.'\(path.joined(separator: "''"))'")
        }
        let parts = text.split(separator: ".", maxSplits: 1).map { quotedIdentifier(String($0)) }
        return NamedTable(service: try http(), name: text, sql: parts.joined(separator: "."))
    }
}

/// A table of a command line and who answers for it.
struct NamedTable {
    let service: any QueryService
    /// As people write it: `schema.name`.
    let name: String
    /// As SQL writes it.
    let sql: String
}
