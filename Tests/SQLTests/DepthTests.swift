import Base
import Foundation
import SQL
import Testing

/// Whatever passes the parser's limits must be bound, optimized and released on the stack of a
/// worker thread.
@Suite struct DepthTests {
    private func bindOnSmallStack(_ texts: [String]) -> [String] {
        let done = DispatchSemaphore(value: 0)
        let outcome = Outcome()
        let thread = Thread {
            for text in texts {
                do throws(Problem) {
                    _ = try plan(text)
                    outcome.codes.append("bound")
                } catch {
                    outcome.codes.append(error.code)
                }
            }
            done.signal()
        }
        thread.stackSize = 4 << 20
        thread.start()
        done.wait()
        return outcome.codes
    }

    private final class Outcome: @unchecked Sendable {
        // Written by the thread before it signals, read after the wait.
        var codes: [String] = []
    }

    @Test func `the deepest statements that parse fit the stack`() {
        let deep = Limits.nestingDepth / 2 - 4
        let calls =
            "SELECT " + String(repeating: "lower(", count: deep) + "b"
            + String(repeating: ")", count: deep) + " FROM t"
        let sum = "SELECT a" + String(repeating: " + a", count: 240) + " FROM t"
        let cases =
            "SELECT " + String(repeating: "CASE WHEN ok THEN ", count: deep) + "1"
            + String(repeating: " END", count: deep) + " FROM t"
        let queries = 28
        let nested =
            String(repeating: "SELECT * FROM (", count: queries) + "SELECT a FROM t WHERE a > 1"
            + String(repeating: ") q", count: queries)
        let joins =
            "SELECT 1 FROM u u0"
            + (1..<200).map { " JOIN u u\($0) ON u\($0).a = u\($0 - 1).a" }.joined()
        let codes = bindOnSmallStack([calls, sum, cases, nested, joins])
        #expect(codes == Array(repeating: "bound", count: 5))
    }
}
