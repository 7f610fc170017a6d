import Base
import Surfaces
import Testing

@Suite struct EventCheckerTests {
    let now = Timestamp(milliseconds: 1_771_237_845_123)

    func check(_ text: String, _ rules: EventRules? = .user) throws -> Result<
        GatewayEvent, FieldErrors
    > {
        EventChecker().check(
            try JSONValue(parsing: text), rules: rules, location: ["body"], newID: "new", now: now)
    }

    @Test func `an event is completed with id, app and time`() throws {
        let event = try check(#"{"event_type":"click","user_id":"u1","extra":1}"#).get()
        #expect(event.id == "new")
        #expect(event.payload["timestamp"] == "2026-02-16T10:30:45.123Z")
        #expect(event.payload["app_type"] == "web")
        #expect(event.payload["properties"] == .object([]))
        #expect(event.payload["extra"] == 1)
    }

    @Test func `all bad fields are listed at once`() throws {
        let result = try check(
            #"{"event_type":"page_veiw","session_id":7,"timestamp":"now","properties":[]}"#)
        guard case .failure(let errors) = result else {
            Issue.record("accepted")
            return
        }
        #expect(
            errors.fields.map { $0.location.last } == [
                "user_id", "session_id", "event_type", "timestamp", "properties",
            ])
        #expect(errors.fields[2].message.contains("did you mean page_view?"))
    }

    @Test func `a batch names the index of each bad event`() throws {
        let body = try JSONValue(
            parsing: #"{"events":[{"event_type":"x","user_id":"u"},{"event_type":"y"},3]}"#)
        guard
            case .failure(let errors) = EventChecker().checkBatch(body, now: now, newID: { "i" })
        else {
            Issue.record("accepted")
            return
        }
        #expect(
            errors.fields.map(\.location) == [
                ["body", "events", "1", "user_id"], ["body", "events", "2"],
            ])
    }

    @Test func `too many events are refused`() throws {
        let one: JSONValue = ["event_type": "x", "user_id": "u"]
        let body = JSONValue.array(.init(repeating: one, count: EventChecker.batchLimit + 1))
        guard case .failure = EventChecker().checkBatch(body, now: now, newID: { "i" }) else {
            Issue.record("accepted")
            return
        }
    }
}
