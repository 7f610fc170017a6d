import Base
import Foundation

/// The named samples of a `.hex` file in `data/golden`.
func goldenSamples(_ path: String, keepEmpty: Bool = false) throws -> [String: Bytes] {
    let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let url = root.appendingPathComponent("data/golden/\(path)")
    var samples: [String: Bytes] = [:]
    for line in try String(contentsOf: url, encoding: .utf8).split(separator: "\n") {
        let parts = line.split(separator: " ", omittingEmptySubsequences: !keepEmpty)
        guard parts.count == 2 else { continue }
        let digits = Array(parts[1].utf8)
        samples[String(parts[0])] = Bytes(
            stride(from: 0, to: digits.count - 1, by: 2).map { position in
                UInt8(
                    String(decoding: digits[position..<position + 2], as: UTF8.self), radix: 16)!
            })
    }
    return samples
}
