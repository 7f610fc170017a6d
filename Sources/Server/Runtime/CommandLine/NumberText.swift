/// `1204511` → `1,204,511`.
package func grouped(_ value: some BinaryInteger) -> String {
    let text = String(value)
    let digits = Array((text.utf8.first == 0x2D ? text.dropFirst() : Substring(text)).utf8)
    var result = text.utf8.first == 0x2D ? "-" : ""
    for (index, digit) in digits.enumerated() {
        if index > 0, (digits.count - index) % 3 == 0 { result += "," }
        result.unicodeScalars.append(Unicode.Scalar(digit))
    }
    return result
}

/// `value` with exactly `digits` decimals, halves away from zero: `fixed(0.25, 1)` → `0.3`.
package func fixed(_ value: Double, _ digits: Int) -> String {
    guard value.isFinite, abs(value) < 9e15 else { return "\(value)" }
    var scale: Int64 = 1
    for _ in 0..<min(digits, 9) { scale *= 10 }
    let scaled = (abs(value) * Double(scale)).rounded(.toNearestOrAwayFromZero)
    guard scaled < 9e18 else { return "\(value)" }
    let whole = Int64(scaled)
    let sign = value < 0 && whole != 0 ? "-" : ""
    if digits == 0 { return sign + String(whole) }
    let fraction = String(whole % scale)
    let zeros = String(repeating: "0", count: max(0, digits - fraction.utf8.count))
    return sign + String(whole / scale) + "." + zeros + fraction
}

/// A size in powers of ten: `1.2 MB`.
package func byteText(_ bytes: Int64) -> String {
    scaledText(Double(bytes), ["B", "kB", "MB", "GB", "TB", "PB"])
}

/// A count for narrow places: `6.1k`, `1.2M`.
package func shortCount(_ value: Double) -> String {
    let text = scaledText(value, ["", "k", "M", "G", "T", "P"])
    return String(text.filter { $0 != " " })
}

private func scaledText(_ value: Double, _ units: [String]) -> String {
    var rest = abs(value)
    var unit = 0
    // 999.95 would be written as 1000.0.
    while rest >= 999.95, unit < units.count - 1 {
        rest /= 1000
        unit += 1
    }
    let isWhole = rest == rest.rounded() && (unit == 0 || rest >= 100)
    return (value < 0 ? "-" : "") + fixed(rest, isWhole || rest >= 100 ? 0 : 1)
        + (units[unit].isEmpty ? "" : " " + units[unit])
}

/// `0.4 ms`, `0.4 s`, `1 m 52 s`, `3 h 20 m`, `2 d 4 h`.
package func durationText(seconds: Double) -> String {
    let sign = seconds < 0 ? "-" : ""
    let value = abs(seconds)
    switch value {
    case ..<0.001: return sign + fixed(value * 1000, 2) + " ms"
    case ..<0.1: return sign + fixed(value * 1000, 1) + " ms"
    case ..<59.95: return sign + fixed(value, 1) + " s"
    case ..<3600:
        let whole = Int64(value.rounded())
        return sign + "\(whole / 60) m \(whole % 60) s"
    case ..<86_400:
        let whole = Int64(value / 60)
        return sign + "\(whole / 60) h \(whole % 60) m"
    default:
        let whole = Int64(min(value / 3600, 9e15))
        return sign + "\(grouped(whole / 24)) d \(whole % 24) h"
    }
}
