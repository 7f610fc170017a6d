// Diagnostics (what operators read) as a seam, so that core code can speak without doing I/O.

/// How much a message matters.
package enum Severity: Int, Comparable, Sendable {
    case debug, info, warning, error

    package static func < (left: Severity, right: Severity) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// Takes messages for the operator. The Runtime writes them to standard error; tests collect them.
package protocol Diagnostics: AnyObject, Sendable {
    func report(_ severity: Severity, _ component: String, _ message: String)
}

/// Drops everything.
package final class SilentDiagnostics: Diagnostics {
    package init() {}
    package func report(_ severity: Severity, _ component: String, _ message: String) {}
}
