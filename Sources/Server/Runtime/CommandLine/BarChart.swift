/// A horizontal bar for each labelled value, in eighths of a column, scaled to the largest:
///
///     mobile  ████████████████████▌  6,120
///     web     ███████████            3,301
///
/// Negative values have no bar. `width` is what the whole chart may take.
package func renderBars(
    _ rows: [(label: String, value: Double)], width: Int = 78,
    number: (Double) -> String = {
        $0 == $0.rounded() && abs($0) < 9e15 ? grouped(Int64($0)) : fixed($0, 2)
    }
) -> String {
    let labels = rows.map { cut(printable($0.label), toWidth: 30) }
    let numbers = rows.map { number($0.value) }
    let labelWidth = labels.map(displayWidth).max() ?? 0
    let numberWidth = numbers.map(displayWidth).max() ?? 0
    let room = max(8, width - labelWidth - numberWidth - 4)
    let largest = rows.map(\.value).filter(\.isFinite).max() ?? 0
    var text = ""
    for (index, row) in rows.enumerated() {
        let share = largest > 0 && row.value.isFinite ? max(0, row.value / largest) : 0
        var eighths = Int((share * Double(room * 8)).rounded())
        // Something is never drawn as nothing.
        if row.value > 0, eighths == 0 { eighths = 1 }
        let bar = String(repeating: "█", count: eighths / 8) + partialBlocks[eighths % 8]
        text += padded(labels[index], labelWidth) + "  " + padded(bar, room) + "  "
        text += padded(numbers[index], numberWidth, rightAligned: true) + "\n"
    }
    return text
}

private let partialBlocks = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]

/// The course of a value in one line: `▁▂▃▅▇`.
package func sparkline(_ values: [Double]) -> String {
    let blocks = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
    let finite = values.filter(\.isFinite)
    guard let low = finite.min(), let high = finite.max() else { return "" }
    var text = ""
    for value in values {
        guard value.isFinite else {
            text += " "
            continue
        }
        let share = high > low ? (value - low) / (high - low) : 0
        text += blocks[min(7, Int(share * 8))]
    }
    return text
}
