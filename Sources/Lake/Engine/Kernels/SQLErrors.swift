import Base

/// The errors of evaluation, with the codes and the wording that PostgreSQL uses, so that clients
/// and people recognise them.
enum SQLErrors {
    static func outOfRange(_ type: String) -> Problem { Problem("22003", "\(type) out of range") }

    static let divisionByZero = Problem("22012", "division by zero")

    static let numericOverflow = Problem("22003", "value overflows numeric format")

    static func fieldOverflow(precision: Int, scale: Int) -> Problem {
        let digits = precision - scale
        let bound = digits == 0 ? "1" : "10^\(digits)"
        return Problem(
            "22003", "numeric field overflow",
            notes: [
                "A field with precision \(precision), scale \(scale) must round to an absolute "
                    + "value less than \(bound)."
            ])
    }

    static let floatOverflow = Problem("22003", "value out of range: overflow")
    static let floatUnderflow = Problem("22003", "value out of range: underflow")

    static func invalidInput(_ type: String, _ text: String) -> Problem {
        Problem("22P02", "invalid input syntax for type \(type): \"\(text)\"")
    }

    static func textOutOfRange(_ type: String, _ text: String) -> Problem {
        Problem("22003", "value \"\(text)\" is out of range for type \(type)")
    }

    static func invalidDateTime(_ type: String, _ text: String) -> Problem {
        Problem("22007", "invalid input syntax for type \(type): \"\(text)\"")
    }

    static func dateTimeOutOfRange(_ text: String) -> Problem {
        Problem("22008", "date/time field value out of range: \"\(text)\"")
    }

    static let timestampOutOfRange = Problem("22008", "timestamp out of range")
    static let dateOutOfRange = Problem("22008", "date out of range")
    static let intervalOutOfRange = Problem("22008", "interval out of range")

    static func invalidParameter(_ message: String) -> Problem { Problem("22023", message) }

    static func unsupported(_ what: String) -> Problem {
        Problem("0A000", "\(what) is not supported yet")
    }

    static let severalRows = Problem(
        "21000", "more than one row returned by a subquery used as an expression")

    static let cancelled = Problem("57014", "canceling statement due to user request")

    static func spillFailed(_ failure: StorageFailure) -> Problem {
        if case .noSpace = failure {
            return Problem(
                "53100", "no space left on the disk for rows that do not fit into memory",
                notes: ["\(failure)"],
                hint: "free some space, or read fewer rows or columns")
        }
        return Problem(
            "58030", "rows that do not fit into memory could not be kept on the disk",
            notes: ["\(failure)"])
    }

    static func outOfMemory(_ operation: String, limit: Int) -> Problem {
        Problem(
            "53200", "out of memory",
            notes: ["\(operation) needs more than the \(limit >> 20) MiB that one query may hold"],
            hint: "read fewer rows or columns, or group by fewer distinct values")
    }
}
