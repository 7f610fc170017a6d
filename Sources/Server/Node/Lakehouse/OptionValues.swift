import Base
import SQL

/// The values of `WITH (name = value)`.
enum OptionValues {
    /// Microseconds of `500 ms`, `10 s`, `5 minutes`, `1 day`, or of a bare number of seconds.
    static func duration(_ text: String) throws(Problem) -> Int64 {
        let trimmed = text.split(separator: " ").joined(separator: " ")
        let digits = trimmed.prefix { $0.isNumber || $0 == "." }
        let unit = trimmed.dropFirst(digits.count).split(separator: " ").joined().lowercased()
        let scales: OrderedMap<String, Int64> = [
            "us": 1, "ms": 1000, "millisecond": 1000, "milliseconds": 1000, "": 1_000_000,
            "s": 1_000_000, "sec": 1_000_000, "second": 1_000_000, "seconds": 1_000_000,
            "m": 60_000_000, "min": 60_000_000, "minute": 60_000_000, "minutes": 60_000_000,
            "h": 3_600_000_000, "hour": 3_600_000_000, "hours": 3_600_000_000,
            "d": 86_400_000_000, "day": 86_400_000_000, "days": 86_400_000_000,
        ]
        guard let count = Double(digits), let scale = scales[unit], count > 0,
            count * Double(scale) < 9e18
        else {
            throw Problem(
                "22023", "invalid duration: \"\(text)\"",
                hint:
                    "write a number and a unit, for example '500 ms', '10 s', '5 minutes', '1 day'")
        }
        return Int64(count * Double(scale))
    }

    /// Checks the names of options against those that a statement knows.
    static func check(
        _ options: [StatementOption], known: [String], of statement: String
    ) throws(Problem) {
        for option in options where !known.contains(option.name) {
            let near = nearestName(to: option.name, among: known)
            throw Problem(
                "22023", "\(statement) has no option \"\(option.name)\"",
                notes: ["options: " + known.joined(separator: ", ")],
                hint: near.map { "did you mean \"\($0)\"?" }, position: option.position)
        }
    }
}
