import Base

/// One endpoint: a method, a path whose `{name}` parts match one segment each, and what to do.
package struct Route: Sendable {
    package var method: String
    package var path: String
    package var summary: String
    package var handler: @Sendable (HTTPRequest, [String], HTTPResponder) -> Void
    fileprivate var segments: [Substring]

    /// `handler` gets the values of the `{…}` parts in order, and answers without blocking.
    package init(
        _ method: String, _ path: String, _ summary: String,
        handler: @escaping @Sendable (HTTPRequest, [String], HTTPResponder) -> Void
    ) {
        self.method = method
        self.path = path
        self.summary = summary
        self.handler = handler
        segments = path.split(separator: "/")
    }

    /// An endpoint that answers at once.
    package static func immediate(
        _ method: String, _ path: String, _ summary: String,
        _ answer: @escaping @Sendable (HTTPRequest, [String]) throws(Problem) -> HTTPResponse
    ) -> Route {
        Route(method, path, summary) { request, values, responder in
            do throws(Problem) {
                responder.respond(try answer(request, values))
            } catch {
                responder.respond(.problem(error))
            }
        }
    }

    /// An endpoint whose answer may have to wait: it is made in the background.
    package static func blocking(
        _ method: String, _ path: String, _ summary: String, in background: @escaping Background,
        _ answer: @escaping @Sendable (HTTPRequest, [String]) throws(Problem) -> HTTPResponse
    ) -> Route {
        let immediate = immediate(method, path, summary, answer).handler
        return Route(method, path, summary) { request, values, responder in
            background { immediate(request, values, responder) }
        }
    }

    fileprivate func match(_ parts: [Substring]) -> [String]? {
        guard parts.count == segments.count else { return nil }
        var values: [String] = []
        for (segment, part) in zip(segments, parts) {
            if segment.hasPrefix("{") {
                values.append(String(part))
            } else if segment != part {
                return nil
            }
        }
        return values
    }
}

/// Finds the endpoint of a request; what fits none gets a 404 or 405 that says what would.
package struct Router: Sendable {
    package let routes: [Route]

    package init(_ routes: [Route]) { self.routes = routes }

    package func handle(_ request: HTTPRequest, _ responder: HTTPResponder) {
        let parts = request.path.split(separator: "/")
        let method = request.method == "HEAD" ? "GET" : request.method
        var allowed: [String] = []
        for route in routes {
            guard let values = route.match(parts) else { continue }
            if route.method == method {
                route.handler(request, values, responder)
                return
            }
            allowed.append(route.method)
        }
        responder.respond(refusal(request, allowed: allowed))
    }

    private func refusal(_ request: HTTPRequest, allowed: [String]) -> HTTPResponse {
        if !allowed.isEmpty {
            let list = allowed.joined(separator: ", ")
            return .problem(
                Problem(
                    "http.method", "\(request.path) does not take \(request.method)",
                    hint: "it takes \(list)")
            ).with("Allow", list)
        }
        let near = nearestName(to: request.path, among: routes.map(\.path))
        return .problem(
            Problem(
                "http.not_found", "there is nothing at \(request.path)",
                hint: near.map { "did you mean \($0)? see /docs" } ?? "see /docs for all endpoints")
        )
    }
}
