import Base
import Columns
import Engine
import Node
import RowFiles

/// How the rows of a query are written in an answer.
package enum QueryForm: String, CaseIterable, Sendable {
    case json, ndjson, csv, arrow

    var contentType: String {
        switch self {
        case .json: "application/json"
        case .ndjson: "application/x-ndjson"
        case .csv: "text/csv; charset=utf-8; header=present"
        case .arrow: "application/vnd.apache.arrow.stream"
        }
    }

    /// What `?format=` says, else what `Accept` does; JSON when that leaves it open.
    init(of request: HTTPRequest) throws(Problem) {
        if let name = request.parameter("format") {
            guard let form = QueryForm(rawValue: name.lowercased()) else {
                throw Problem(
                    "http.parameter", "there is no format \"\(name)\"",
                    hint: "formats: json, ndjson, csv, arrow")
            }
            self = form
            return
        }
        self = try QueryForm(accept: request.accept ?? "")
    }

    /// The first of the best-liked media types that we write.
    init(accept: String) throws(Problem) {
        var best: (form: QueryForm, quality: Double)?
        for part in accept.split(separator: ",") {
            let pieces = part.split(separator: ";").map { piece in
                String(piece.filter { $0 != " " && $0 != "\t" }).lowercased()
            }
            guard let type = pieces.first, let form = Self.form(of: type) else { continue }
            let quality =
                pieces.dropFirst().first { $0.hasPrefix("q=") }
                .flatMap { Double($0.dropFirst(2)) } ?? 1
            if quality > best?.quality ?? 0 { best = (form, quality) }
        }
        guard let best else {
            if accept.allSatisfy({ $0 == " " }) {
                self = .json
                return
            }
            throw Problem(
                "http.accept", "no form of answer fits Accept: \(accept.prefix(200))",
                hint: "application/json, application/x-ndjson, text/csv or"
                    + " application/vnd.apache.arrow.stream")
        }
        self = best.form
    }

    private static func form(of type: String) -> QueryForm? {
        switch type {
        case "application/json", "application/*", "*/*", "application/problem+json": .json
        case "application/x-ndjson", "application/ndjson", "application/jsonl",
            "application/json-lines", "application/x-jsonlines":
            .ndjson
        case "text/csv", "text/*": .csv
        case "application/vnd.apache.arrow.stream", "application/vnd.apache.arrow": .arrow
        default: nil
        }
    }
}
