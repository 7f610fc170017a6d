// Errors over HTTP: RFC 9457 problem details. `detail` is a string because common clients print it;
// `errors` lists every bad field of a body as {loc, msg, type}.

import Base

/// One bad field of a request body.
package struct FieldError: Equatable, Sendable {
    /// Where: `body`, then keys and indexes.
    package var location: [String]
    package var message: String
    /// A stable word for programs: `missing`, `type`, `value`, `json`.
    package var kind: String

    package init(_ location: [String], _ message: String, kind: String) {
        self.location = location
        self.message = message
        self.kind = kind
    }
}

extension HTTPResponse {
    /// `problem` as `application/problem+json`. With the `statement` that it is about, it says the
    /// line and column of its place, both from 1, and the code as `sqlstate`.
    package static func problem(
        _ problem: Problem, status: Int, fields: [FieldError] = [], in statement: String? = nil
    ) -> HTTPResponse {
        var members: [JSONMember] = [
            JSONMember("type", .string("/errors/" + problem.code)),
            JSONMember("title", .string(problem.message)),
            JSONMember("status", .int(status)),
            JSONMember(
                "detail", .string(([problem.message] + problem.notes).joined(separator: "; "))),
            JSONMember("code", .string(problem.code)),
        ]
        if let hint = problem.hint { members.append(JSONMember("hint", .string(hint))) }
        if let position = problem.position {
            members.append(JSONMember("position", .int(position)))
            if let statement {
                let place = lineAndColumn(of: position, in: statement)
                members.append(JSONMember("line", .int(place.line)))
                members.append(JSONMember("column", .int(place.column)))
            }
        }
        if isSQLState(problem.code) {
            members.append(JSONMember("sqlstate", .string(problem.code)))
        }
        if !problem.notes.isEmpty {
            members.append(JSONMember("notes", .array(problem.notes.map { .string($0) })))
        }
        if !fields.isEmpty {
            let list = fields.map { field -> JSONValue in
                [
                    "loc": .array(
                        field.location.map { part in
                            Int(part).map { .int($0) } ?? .string(part)
                        }),
                    "msg": .string(field.message), "type": .string(field.kind),
                ]
            }
            members.append(JSONMember("errors", .array(list)))
        }
        return HTTPResponse(
            status: status,
            headers: [Header(name: "Content-Type", value: "application/problem+json")],
            body: JSONValue.object(members).serialized())
    }

    /// `problem` with the status that its code stands for.
    package static func problem(
        _ problem: Problem, in statement: String? = nil
    ) -> HTTPResponse {
        .problem(problem, status: httpStatus(of: problem.code), in: statement)
    }
}

/// The HTTP status of an error code: SQLSTATEs by class, ours by name.
package func httpStatus(of code: String) -> Int {
    switch code {
    case "42P01", "3F000", "topic.unknown", "table.unknown", "http.not_found", "query.unknown",
        "session.unknown":
        return 404
    case "53300", "server.busy": return 429
    case "http.accept": return 406
    case "42P07", "42710", "topic.exists": return 409
    case "0A000": return 501
    case "53200", "53400": return 507
    case "57014": return 408
    case "53100", "storage.full", "node.stopping", "57P01", "57P03", "lake.foreign": return 503
    case "http.method": return 405
    case _ where code.hasPrefix("cluster."): return 503
    default: break
    }
    // SQLSTATE classes of mistakes in the statement or its data.
    if isSQLState(code) { return code.hasPrefix("XX") || code.hasPrefix("58") ? 500 : 400 }
    return code.hasPrefix("internal") || code.hasPrefix("storage") ? 500 : 400
}

private func isSQLState(_ code: String) -> Bool {
    code.utf8.count == 5 && code.utf8.allSatisfy { $0 < 0x60 }
}

/// The line and the column, in characters, of a place in a text; both from 1.
func lineAndColumn(of position: Int, in text: String) -> (line: Int, column: Int) {
    let before = text.utf8.prefix(max(0, position))
    let line = before.count { $0 == 0x0A } + 1
    let start = before.lastIndex(of: 0x0A).map { before.index(after: $0) } ?? before.startIndex
    return (line, String(decoding: before[start...], as: UTF8.self).unicodeScalars.count + 1)
}
