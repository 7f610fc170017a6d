import Base
import CPlatform
import Glibc
import Synchronization

/// Messages for the operator on standard error: coloured lines for a person at a terminal, one JSON
/// object a line for everything else. A line is written whole, whatever thread speaks.
package final class StandardErrorDiagnostics: Diagnostics {
    package enum Style: Sendable {
        case human(colour: Bool)
        case jsonLines
    }

    private let style: Style
    private let threshold: Severity
    private let descriptor: Int32
    private let turn = Mutex(())

    package init(
        style: Style, threshold: Severity = .info, descriptor: Int32 = 2
    ) {
        self.style = style
        self.threshold = threshold
        self.descriptor = descriptor
    }

    /// The style that fits what standard error is connected to.
    package static func fitting(noColour: Bool) -> Style {
        weir_is_terminal(2) == 1 ? .human(colour: !noColour) : .jsonLines
    }

    package func report(_ severity: Severity, _ component: String, _ message: String) {
        guard severity >= threshold else { return }
        let line = Self.line(
            severity, component, message, style: style,
            wallMicroseconds: weir_wall_nanoseconds() / 1000)
        turn.withLock { _ in
            line.withUnsafeBytes { _ = writeAll($0, to: descriptor) }
        }
    }

    /// One finished line, line feed included.
    package static func line(
        _ severity: Severity, _ component: String, _ message: String, style: Style,
        wallMicroseconds: Int64
    ) -> Bytes {
        var writer = ByteWriter(capacity: 128 + message.utf8.count)
        switch style {
        case .jsonLines:
            writer.utf8("{\"ts\":\"\(utcText(wallMicroseconds: wallMicroseconds))\",\"level\":\"")
            writer.utf8(severity.name)
            writer.utf8("\",\"logger\":")
            writeJSONString(component, to: &writer)
            writer.utf8(",\"msg\":")
            writeJSONString(message, to: &writer)
            writer.utf8("}\n")
        case .human(let colour):
            let time = utcText(wallMicroseconds: wallMicroseconds).dropFirst(11).prefix(12)
            let level = severity.name + String(repeating: " ", count: 5 - severity.name.count)
            writer.utf8(colour ? "\u{1B}[2m\(time)\u{1B}[0m " : "\(time) ")
            writer.utf8(colour ? "\u{1B}[\(severity.colour)m\(level)\u{1B}[0m " : "\(level) ")
            writer.utf8(component + "  ")
            writePrintable(message, to: &writer)
            writer.utf8("\n")
        }
        return writer.finish()
    }

    /// Messages can quote what strangers sent: control characters must not reach the terminal.
    private static func writePrintable(_ message: String, to writer: inout ByteWriter) {
        for scalar in message.unicodeScalars {
            switch scalar.value {
            case 0x0A: writer.utf8("\n    ")
            case 0..<0x20, 0x7F..<0xA0: writer.utf8("\u{FFFD}")
            default: writer.utf8(String(Character(scalar)))
            }
        }
    }
}

extension Severity {
    package var name: String {
        switch self {
        case .debug: "debug"
        case .info: "info"
        case .warning: "warn"
        case .error: "error"
        }
    }

    fileprivate var colour: Int {
        switch self {
        case .debug: 2
        case .info: 36
        case .warning: 33
        case .error: 31
        }
    }
}

/// Writes all of `bytes`; gives up when the other end is gone, because there is nobody to tell.
///
/// Returns 0, or -errno of the call that failed; nothing more is written then.
@discardableResult
package func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int32 {
    var done = 0
    while done < bytes.count, let base = bytes.baseAddress {
        let n = weir_write(descriptor, base + done, bytes.count - done)
        if n <= 0 { return n == 0 ? -EIO : Int32(n) }
        done += Int(n)
    }
    return 0
}

/// `2026-01-02T03:04:05.678901Z`.
package func utcText(wallMicroseconds: Int64) -> String {
    let day: Int64 = 86_400_000_000
    var days = wallMicroseconds / day
    var rest = wallMicroseconds % day
    if rest < 0 {
        rest += day
        days -= 1
    }
    let date = civilDate(daysSince1970: days)
    let seconds = rest / 1_000_000
    let time =
        padded(seconds / 3600, 2) + ":" + padded(seconds / 60 % 60, 2) + ":"
        + padded(seconds % 60, 2)
    return padded(date.year, 4) + "-" + padded(date.month, 2) + "-" + padded(date.day, 2) + "T"
        + time + "." + padded(rest % 1_000_000, 6) + "Z"
}

/// The date of the proleptic Gregorian calendar. Counts in 400-year eras that begin on 1 March, so
/// that the leap day is the last of its year.
package func civilDate(daysSince1970 days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra =
        (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
}

private func padded(_ value: Int64, _ width: Int) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
}
