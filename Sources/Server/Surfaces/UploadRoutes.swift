// Files that are larger than a request, between a client and COPY.

import Base
import Node

/// `POST /uploads` names a new one; its parts are put and fetched by number, from 0 on;
/// `COPY t FROM 'upload:ID'` and `COPY t TO 'upload:ID'` read and write them as one file.
package struct UploadRoutes: Sendable {
    private let uploads: LakeUploads
    private let background: Background
    private let newID: @Sendable () -> UUID128

    package init(
        uploads: LakeUploads, background: @escaping Background,
        newID: @escaping @Sendable () -> UUID128
    ) {
        self.uploads = uploads
        self.background = background
        self.newID = newID
    }

    package var routes: [Route] {
        [
            route("POST", "/uploads", "A name for a file that is sent in parts") {
                _, _ throws(Problem) in
                .json(["upload": .string(try uploads.create(newID()))], status: 201)
            },
            route("PUT", "/uploads/{id}/{part}", "Part number {part} of a file: its bytes") {
                request, values throws(Problem) in
                try uploads.put(values[0], part: try number(values[1]), request.body)
                return .json(["bytes": .int(request.body.count)])
            },
            route("GET", "/uploads/{id}/{part}", "Part number {part}; 404 behind the last") {
                _, values throws(Problem) in
                guard let part = try uploads.part(values[0], try number(values[1])) else {
                    throw Problem("http.not_found", "the upload has no part \(values[1])")
                }
                return HTTPResponse(
                    status: 200,
                    headers: [.init(name: "Content-Type", value: "application/octet-stream")],
                    body: part)
            },
            route("DELETE", "/uploads/{id}", "Removes a file that is not needed any more") {
                _, values throws(Problem) in
                try uploads.delete(values[0])
                return .json(["deleted": .string(values[0])])
            },
        ]
    }

    private func number(_ text: String) throws(Problem) -> Int {
        guard let number = Int(text), number >= 0 else {
            throw Problem("http.parameter", "a part is a whole number, found \"\(text)\"")
        }
        return number
    }

    private func route(
        _ method: String, _ path: String, _ summary: String,
        _ answer: @escaping @Sendable (HTTPRequest, [String]) throws(Problem) -> HTTPResponse
    ) -> Route {
        .blocking(method, path, summary, in: background, answer)
    }
}
