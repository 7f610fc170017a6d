import Base
import Delta

extension JSONValue {
    /// A moment as ISO 8601 in UTC with milliseconds.
    static func moment(_ moment: Timestamp) -> JSONValue {
        let micros = moment.milliseconds.multipliedClamped(by: 1000)
        return .string(
            CalendarText.timestamp(microseconds: micros, digits: 3, separator: "T") + "Z")
    }
}
