// The HTTP interface described by itself: /openapi.json, /docs, /errors/…

import Base

/// Makes the descriptions of `routes`.
package struct DocumentationRoutes: Sendable {
    private let described: [Route]
    private let version: String

    package init(describing routes: [Route], version: String) {
        described = routes
        self.version = version
    }

    package var routes: [Route] {
        let document = openAPI()
        let page = docsPage()
        return [
            Route.immediate("GET", "/", "Where to begin") { _, _ in
                HTTPResponse(
                    status: 302, headers: [HTTPResponse.Header(name: "Location", value: "/docs")],
                    body: .empty)
            },
            Route.immediate("GET", "/openapi.json", "This interface as OpenAPI 3.1") { _, _ in
                .json(document)
            },
            Route.immediate("GET", "/docs", "This interface for people") { _, _ in
                .text(page, type: "text/html; charset=utf-8")
                    .with(
                        "Content-Security-Policy",
                        "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'"
                    )
            },
            Route.immediate("GET", "/docs.js", "The script of /docs") { _, _ in
                .text(docsScript, type: "text/javascript; charset=utf-8")
            },
            Route.immediate("GET", "/errors/{code}", "What an error code means") { _, values in
                .text(errorPage(values[0]), type: "text/html; charset=utf-8")
            },
        ]
    }

    // MARK: OpenAPI

    private func openAPI() -> JSONValue {
        var paths: OrderedMap<String, [JSONMember]> = [:]
        for route in described {
            paths[route.path, default: []].append(
                JSONMember(route.method.lowercased(), operation(route)))
        }
        return [
            "openapi": "3.1.0",
            "info": [
                "title": "Weir", "version": .string(version),
                "description": "Event gateway, tables, catalog and SQL of one Weir node.",
            ],
            "paths": .object(paths.map { JSONMember($0.key, .object($0.value)) }),
            "components": ["schemas": schemas()],
        ]
    }

    private func operation(_ route: Route) -> JSONValue {
        var members: [JSONMember] = [
            JSONMember("summary", .string(route.summary)),
            JSONMember("operationId", .string(operationID(route))),
        ]
        var parameters: [JSONValue] = []
        for segment in route.path.split(separator: "/") where segment.hasPrefix("{") {
            parameters.append([
                "name": .string(String(segment.dropFirst().dropLast())), "in": "path",
                "required": true, "schema": ["type": "string"],
            ])
        }
        for (name, type) in queryParameters(route.path) where route.method == "GET" {
            parameters.append([
                "name": .string(name), "in": "query", "required": false,
                "schema": ["type": .string(type)],
            ])
        }
        if !parameters.isEmpty { members.append(JSONMember("parameters", .array(parameters))) }
        if let schema = requestSchema(route.path) {
            members.append(
                JSONMember(
                    "requestBody",
                    [
                        "required": true,
                        "content": [
                            "application/json": [
                                "schema": ["$ref": .string("#/components/schemas/" + schema)]
                            ]
                        ],
                    ]))
        }
        let problem: JSONValue = [
            "description": "What went wrong (RFC 9457)",
            "content": [
                "application/problem+json": ["schema": ["$ref": "#/components/schemas/Problem"]]
            ],
        ]
        members.append(
            JSONMember(
                "responses", ["200": ["description": "Done"], "default": problem]))
        return .object(members)
    }

    private func operationID(_ route: Route) -> String {
        let words = route.path.split { "/{}._".contains($0) }.map {
            $0.prefix(1).uppercased() + $0.dropFirst()
        }
        return route.method.lowercased() + (words.isEmpty ? "Root" : words.joined())
    }

    private func queryParameters(_ path: String) -> [(String, String)] {
        switch path {
        case "/tables": [("layer", "string")]
        case "/tables/{name}/preview": [("limit", "integer"), ("version", "integer")]
        case "/tables/{name}/history": [("limit", "integer")]
        default: []
        }
    }

    private func requestSchema(_ path: String) -> String? {
        switch path {
        case "/events/user", "/events/booking": "Event"
        case "/events/batch": "EventBatch"
        case "/query": "Query"
        default: nil
        }
    }

    private func schemas() -> JSONValue {
        let text: JSONValue = ["type": "string"]
        return [
            "Event": [
                "type": "object", "required": ["event_type", "user_id"],
                "properties": [
                    "event_id": text, "event_type": text, "user_id": text, "session_id": text,
                    "app_type": text, "timestamp": ["type": "string", "format": "date-time"],
                    "properties": ["type": "object"],
                ],
            ],
            "EventBatch": [
                "type": "object", "required": ["events"],
                "properties": [
                    "events": [
                        "type": "array", "maxItems": .int(EventChecker.batchLimit),
                        "items": ["$ref": "#/components/schemas/Event"],
                    ]
                ],
            ],
            "Query": [
                "type": "object", "required": ["sql"],
                "properties": [
                    "sql": text, "limit": ["type": "integer", "minimum": 0, "default": 1000],
                ],
            ],
            "Problem": [
                "type": "object", "required": ["type", "title", "status", "detail"],
                "properties": [
                    "type": text, "title": text, "status": ["type": "integer"], "detail": text,
                    "code": text, "hint": text, "position": ["type": "integer"],
                    "errors": [
                        "type": "array",
                        "items": [
                            "type": "object",
                            "properties": [
                                "loc": ["type": "array"], "msg": text, "type": text,
                            ],
                        ],
                    ],
                ],
            ],
        ]
    }

    // MARK: Pages

    private func docsPage() -> String {
        var rows = ""
        for (index, route) in described.enumerated() {
            let isSimple = route.method == "GET" && !route.path.contains("{")
            let action =
                isSimple
                ? "<button data-path=\"\(escaped(route.path))\" data-out=\"o\(index)\">try</button>"
                : ""
            rows += """
                <tr><td class="m \(route.method.lowercased())">\(route.method)</td>\
                <td><code>\(escaped(route.path))</code></td><td>\(escaped(route.summary))</td>\
                <td>\(action)</td></tr><tr class="o"><td colspan="4"><pre id="o\(index)"></pre></td></tr>

                """
        }
        return """
            <!doctype html><html lang="en"><meta charset="utf-8"><title>Weir – HTTP interface</title>
            <meta name="viewport" content="width=device-width">
            <style>
            :root{color-scheme:light dark;--b:#1f6feb;--g:#1a7f37;--l:#8884}
            body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
            h1{font-size:1.5rem;margin:0}table{border-collapse:collapse;width:100%}
            td{padding:.35rem .6rem;border-top:1px solid var(--l);vertical-align:top}
            tr.o td{border:0;padding:0}.m{font:600 12px ui-monospace,monospace}
            .get{color:var(--b)}.post{color:var(--g)}code,pre,textarea{font:13px ui-monospace,monospace}
            pre{margin:0;max-height:24rem;overflow:auto;white-space:pre-wrap}
            textarea{width:100%;box-sizing:border-box;height:5rem}button{cursor:pointer}
            </style>
            <h1>Weir</h1><p>Version \(escaped(version)) · <a href="/openapi.json">openapi.json</a> ·
            <a href="/metrics">metrics</a> · <a href="/health">health</a></p>
            <h2>SQL</h2><textarea id="sql">SELECT * FROM gold.event_metrics ORDER BY total_events DESC LIMIT 10</textarea>
            <p><button id="run">run</button></p><div id="answer"></div>
            <h2>Endpoints</h2><table>\(rows)</table>
            <p>Errors are <a href="https://www.rfc-editor.org/rfc/rfc9457">problem details</a>; <code>type</code> leads to a page of this server.</p>
            <script src="/docs.js"></script></html>
            """
    }

    private func errorPage(_ code: String) -> String {
        let text = escaped(code)
        return """
            <!doctype html><html lang="en"><meta charset="utf-8"><title>\(text)</title>
            <body style="font:15px/1.5 system-ui,sans-serif;max-width:40rem;margin:2rem auto">
            <h1><code>\(text)</code></h1><p>\(escaped(meaning(of: code)))</p>
            <p><a href="/docs">All endpoints</a></p></html>
            """
    }

    private func meaning(of code: String) -> String {
        switch code {
        case "event.invalid":
            "The body of an event has fields that are missing, of another type or out of range. Every bad field is listed in errors; nothing was stored."
        case "http.not_found": "There is no endpoint of this path."
        case "http.method":
            "The endpoint exists, but takes another method; the Allow header lists which."
        case "http.body": "The request body is not what the endpoint takes."
        case "http.body_too_large": "The request body is larger than this server accepts."
        case "42P01": "A table, view or topic of this name does not exist."
        case "42703": "A column of this name does not exist."
        case "42601": "The SQL text is not a statement; position counts its bytes from 0."
        case "0A000": "This part of the dialect is not built yet."
        case "22012": "A number was divided by zero."
        default:
            "See the detail and hint of the answer that carried this code. Five-letter codes are SQLSTATEs as PostgreSQL publishes them."
        }
    }

    private func escaped(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "&": result += "&amp;"
            case "\"": result += "&quot;"
            default: result.append(character)
            }
        }
        return result
    }
}

private let docsScript = """
    for (const button of document.querySelectorAll('button[data-path]')) {
      button.onclick = async () => {
        const out = document.getElementById(button.dataset.out);
        const answer = await fetch(button.dataset.path);
        const text = await answer.text();
        try { out.textContent = JSON.stringify(JSON.parse(text), null, 2); }
        catch { out.textContent = text; }
      };
    }
    document.getElementById('run').onclick = async () => {
      const place = document.getElementById('answer');
      const answer = await fetch('/query', {method: 'POST', headers: {'Content-Type': 'application/json'},
        body: JSON.stringify({sql: document.getElementById('sql').value})});
      const body = await answer.json();
      place.replaceChildren();
      if (!answer.ok) {
        const pre = document.createElement('pre');
        pre.textContent = 'error[' + body.code + ']: ' + body.title + (body.hint ? '\\n  \u{2192} ' + body.hint : '');
        place.append(pre);
        return;
      }
      const table = document.createElement('table');
      const line = (cells, tag) => {
        const row = document.createElement('tr');
        for (const cell of cells) {
          const part = document.createElement(tag);
          part.textContent = cell === null ? '\u{2013}' : typeof cell === 'object' ? JSON.stringify(cell) : cell;
          row.append(part);
        }
        table.append(row);
      };
      line(body.columns.map(c => c.name), 'th');
      for (const row of body.rows) line(row, 'td');
      const note = document.createElement('p');
      note.textContent = body.row_count + ' rows, ' + body.elapsed_ms + ' ms';
      place.append(table, note);
    };
    """
