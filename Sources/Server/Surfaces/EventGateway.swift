// The event gateway: apps post JSON, the gateway checks it, completes it, and appends it to a topic.
// The answer comes when the records are durable.

import Base
import Node

/// The rules of one kind of event.
package struct EventRules: Sendable {
    package var eventTypes: [String]
    package var defaultApp: String

    /// What people do in the apps.
    package static let user = EventRules(
        eventTypes: [
            "app_open", "page_view", "click", "search", "filter_applied", "booking_view",
            "click_cta",
        ], defaultApp: "web")
    package static let booking = EventRules(
        eventTypes: [
            "booking_created", "booking_updated", "payment_completed", "booking_cancelled",
        ], defaultApp: "booking")
}

/// A checked and completed event, ready to be appended.
package struct GatewayEvent: Equatable, Sendable {
    package var id: String
    package var userID: String
    package var payload: JSONValue
}

/// Checks events. Completing needs an id and the time, which come from outside.
package struct EventChecker: Sendable {
    /// The most events of one batch.
    package static let batchLimit = 1000

    package init() {}

    /// The event in `value`, or everything that is wrong with it. `rules` nil accepts any type.
    package func check(
        _ value: JSONValue, rules: EventRules?, location: [String], newID: String, now: Timestamp
    ) -> Result<GatewayEvent, FieldErrors> {
        guard case .object(let members) = value else {
            return .failure(
                FieldErrors([FieldError(location, "a JSON object is expected", kind: "type")]))
        }
        var errors: [FieldError] = []
        func text(_ name: String, required: Bool) -> String? {
            switch value[name] {
            case .none, .some(.null):
                if required {
                    errors.append(
                        FieldError(location + [name], "the field is required", kind: "missing"))
                }
                return nil
            case .some(.string(let text)):
                if required, text.isEmpty {
                    errors.append(
                        FieldError(location + [name], "must not be empty", kind: "value"))
                }
                return text
            case .some:
                errors.append(FieldError(location + [name], "must be a string", kind: "type"))
                return nil
            }
        }
        let type = text("event_type", required: true)
        let user = text("user_id", required: true)
        let session = text("session_id", required: false)
        let app = text("app_type", required: false)
        let id = text("event_id", required: false)
        let moment = text("timestamp", required: false)
        if let type, !type.isEmpty, let rules, !rules.eventTypes.contains(type) {
            let near = nearestName(to: type, among: rules.eventTypes).map {
                "; did you mean \($0)?"
            }
            errors.append(
                FieldError(
                    location + ["event_type"],
                    "must be one of \(rules.eventTypes.joined(separator: ", "))\(near ?? "")",
                    kind: "value"))
        }
        if let moment, !isTimestamp(moment) {
            errors.append(
                FieldError(
                    location + ["timestamp"],
                    "must be an ISO 8601 time such as 2026-02-16T10:30:45.123Z", kind: "value"))
        }
        switch value["properties"] {
        case .none, .some(.null), .some(.object): break
        case .some:
            errors.append(
                FieldError(location + ["properties"], "must be a JSON object", kind: "type"))
        }
        guard errors.isEmpty, let type, let user else { return .failure(FieldErrors(errors)) }

        let eventID = id ?? newID
        let known = [
            "event_id", "event_type", "user_id", "session_id", "app_type", "timestamp",
            "properties",
        ]
        var payload: [JSONMember] = [
            JSONMember("event_id", .string(eventID)),
            JSONMember("event_type", .string(type)),
            JSONMember("user_id", .string(user)),
            JSONMember("session_id", session.map { .string($0) } ?? .null),
            JSONMember("app_type", .string(app ?? rules?.defaultApp ?? "web")),
            JSONMember("timestamp", .string(moment ?? now.isoText)),
            JSONMember("properties", value["properties"] ?? .object([])),
        ]
        // Fields that we do not know travel along: the topic keeps what the app sent.
        payload += members.filter { !known.contains($0.key) }
        return .success(
            GatewayEvent(id: eventID, userID: user, payload: .object(payload)))
    }

    /// All events of a batch body: an array, or an object with `events`.
    package func checkBatch(
        _ body: JSONValue, now: Timestamp, newID: () -> String
    ) -> Result<[GatewayEvent], FieldErrors> {
        let location: [String]
        let list: [JSONValue]
        if let values = body.arrayValue {
            location = ["body"]
            list = values
        } else if let values = body["events"]?.arrayValue {
            location = ["body", "events"]
            list = values
        } else {
            let wanted = "an array of events, or an object with `events`, is expected"
            return .failure(FieldErrors([FieldError(["body"], wanted, kind: "type")]))
        }
        guard list.count <= Self.batchLimit else {
            return .failure(
                FieldErrors([
                    FieldError(
                        location, "at most \(Self.batchLimit) events, found \(list.count)",
                        kind: "value")
                ]))
        }
        var events: [GatewayEvent] = []
        var errors: [FieldError] = []
        for (index, value) in list.enumerated() {
            switch check(
                value, rules: nil, location: location + [String(index)], newID: newID(), now: now)
            {
            case .success(let event): events.append(event)
            case .failure(let more): errors += more.fields
            }
        }
        return errors.isEmpty ? .success(events) : .failure(FieldErrors(errors))
    }
}

/// Every bad field of one body.
package struct FieldErrors: Error, Equatable, Sendable {
    package var fields: [FieldError]

    package init(_ fields: [FieldError]) { self.fields = fields }
}

/// `YYYY-MM-DDTHH:MM` with optional seconds, fraction and zone; the calendar is checked when the
/// row is made.
private func isTimestamp(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    guard bytes.count >= 10, bytes.count <= 40 else { return false }
    let shape: StaticString = "dddd-dd-ddTdd:dd"
    for index in 0..<min(bytes.count, 16) {
        let wanted = shape.utf8Start[index]
        let found = bytes[index]
        let fits =
            wanted == 0x64
            ? found &- 0x30 <= 9
            : found == wanted || (wanted == 0x54 && (found == 0x20 || found == 0x74))
        if !fits { return false }
    }
    return bytes.count == 10 || bytes.count >= 16
}

/// The endpoints of the gateway. They append to one topic and answer when that is durable.
package struct EventGateway: Sendable {
    private let port: any NodePort
    private let topic: String
    private let now: @Sendable () -> Timestamp
    private let newID: @Sendable () -> String
    private let checker = EventChecker()

    package init(
        port: any NodePort, topic: String, now: @escaping @Sendable () -> Timestamp,
        newID: @escaping @Sendable () -> String
    ) {
        self.port = port
        self.topic = topic
        self.now = now
        self.newID = newID
    }

    package var routes: [Route] {
        [
            Route("POST", "/events/user", "Append one user event") { request, _, responder in
                one(request, rules: .user, responder)
            },
            Route("POST", "/events/booking", "Append one booking event") { request, _, responder in
                one(request, rules: .booking, responder)
            },
            Route("POST", "/events/batch", "Append up to 1000 events") { request, _, responder in
                batch(request, responder)
            },
        ]
    }

    private func one(_ request: HTTPRequest, rules: EventRules, _ responder: HTTPResponder) {
        guard let body = parse(request, responder) else { return }
        switch checker.check(
            body, rules: rules, location: ["body"], newID: newID(), now: now())
        {
        case .failure(let errors): responder.respond(unprocessable(errors))
        case .success(let event):
            append([event], responder) { placed in
                .json([
                    "status": "accepted", "event_id": .string(event.id), "topic": .string(topic),
                    "partition": .int(placed[0].partition), "offset": .int(placed[0].offset.value),
                ])
            }
        }
    }

    private func batch(_ request: HTTPRequest, _ responder: HTTPResponder) {
        guard let body = parse(request, responder) else { return }
        switch checker.checkBatch(body, now: now(), newID: newID) {
        case .failure(let errors): responder.respond(unprocessable(errors))
        case .success(let events):
            guard !events.isEmpty else {
                responder.respond(.json(["status": "accepted", "accepted": 0, "event_ids": []]))
                return
            }
            append(events, responder) { _ in
                .json([
                    "status": "accepted", "accepted": .int(events.count), "topic": .string(topic),
                    "event_ids": .array(events.map { .string($0.id) }),
                ])
            }
        }
    }

    private func parse(_ request: HTTPRequest, _ responder: HTTPResponder) -> JSONValue? {
        do {
            return try JSONValue(parsing: request.body)
        } catch {
            let field = FieldError(["body"], "\(error)", kind: "json")
            responder.respond(
                .problem(
                    Problem(
                        "event.invalid", "the request body is not valid JSON", notes: ["\(error)"]),
                    status: 422, fields: [field]))
            return nil
        }
    }

    private func unprocessable(_ errors: FieldErrors) -> HTTPResponse {
        let count = errors.fields.count
        let notes = errors.fields.prefix(20).map {
            "\($0.location.joined(separator: ".")): \($0.message)"
        }
        return .problem(
            Problem(
                "event.invalid",
                "\(count) bad \(count == 1 ? "field" : "fields") in the request body",
                notes: Array(notes),
                hint: "nothing was stored; see /docs for the fields of an event"),
            status: 422, fields: errors.fields)
    }

    private func append(
        _ events: [GatewayEvent], _ responder: HTTPResponder,
        answer: @escaping @Sendable ([AppendedRecord]) -> HTTPResponse
    ) {
        let records = events.map {
            NewRecord(key: Bytes(utf8: $0.userID), value: $0.payload.serialized())
        }
        port.submit(.append(topic: topic, records: records)) { result in
            switch result {
            case .failure(let problem): responder.respond(.problem(problem))
            case .success(.appended(let placed)) where placed.count == records.count:
                responder.respond(answer(placed))
            case .success:
                let problem = Problem(
                    "internal.answer", "the node gave another answer than asked for")
                responder.respond(.problem(problem))
            }
        }
    }
}
