/// The course of values from left to right, with the smallest and the largest at the side:
///
///     6,120 ┤      ╭─╮
///     3,060 ┤ ╭────╯ ╰──╮
///         0 ┼─╯         ╰──
///            00:00     23:00
///
/// More values than columns are drawn as their means; what is no number is a gap.
package func renderLine(
    _ values: [Double], labels: [String], width: Int = 78, height: Int = 12
) -> String {
    let finite = values.filter(\.isFinite)
    guard let low = finite.min(), let high = finite.max() else { return "nothing to draw\n" }
    let span = high > low ? high - low : 1
    let marks = (0..<height).map { row in
        axisNumber(high - span * Double(row) / Double(height - 1))
    }
    let side = marks.map(displayWidth).max() ?? 0
    let room = max(8, width - side - 3)
    let columns = means(values, columns: min(room, max(values.count, 1)), room: room)
    var canvas = [[String]](
        repeating: [String](repeating: " ", count: columns.count), count: height)
    func level(_ value: Double) -> Int {
        height - 1 - Int(((value - low) / span * Double(height - 1)).rounded())
    }
    for (column, value) in columns.enumerated() where value.isFinite {
        let row = level(value)
        let before = column > 0 && columns[column - 1].isFinite ? level(columns[column - 1]) : row
        if before == row {
            canvas[row][column] = "─"
            continue
        }
        // Rows count downwards.
        let (start, end) = row < before ? ("╯", "╭") : ("╮", "╰")
        canvas[before][column] = start
        canvas[row][column] = end
        for between in (min(row, before) + 1)..<max(row, before) {
            canvas[between][column] = "│"
        }
    }
    var text = ""
    for row in 0..<height {
        var line = padded(marks[row], side, rightAligned: true)
        line += row == height - 1 ? " ┼" : " ┤"
        line += canvas[row].joined()
        while line.last == " " { line.removeLast() }
        text += line + "\n"
    }
    guard let first = labels.first, let last = labels.last else { return text }
    let (left, right) = (printable(first), printable(last))
    let gap = columns.count - displayWidth(left) - displayWidth(right)
    text += String(repeating: " ", count: side + 2) + left
    if gap > 0 { text += String(repeating: " ", count: gap) + right }
    return text + "\n"
}

/// The values at `room` places at most: the means of those that share one.
private func means(_ values: [Double], columns: Int, room: Int) -> [Double] {
    guard values.count > columns else {
        // Few values get several columns each, so that the drawing is as wide as there is room.
        let wide = max(1, min(room / max(values.count, 1), 8))
        return values.flatMap { [Double](repeating: $0, count: wide) }
    }
    return (0..<columns).map { column in
        let part = values[
            (column * values.count / columns)..<((column + 1) * values.count / columns)
        ]
        .filter(\.isFinite)
        return part.isEmpty ? .nan : part.reduce(0, +) / Double(part.count)
    }
}

/// How often values lie in each of a dozen ranges of equal width.
package func renderHistogram(_ values: [Double], width: Int = 78, bins: Int = 12) -> String {
    let finite = values.filter(\.isFinite)
    guard let low = finite.min(), let high = finite.max() else { return "nothing to draw\n" }
    let step = high > low ? (high - low) / Double(bins) : 1
    var counts = [Int](repeating: 0, count: high > low ? bins : 1)
    for value in finite { counts[min(counts.count - 1, Int((value - low) / step))] += 1 }
    return renderBars(
        counts.enumerated().map { index, count in
            let start = low + Double(index) * step
            return ("\(axisNumber(start)) – \(axisNumber(start + step))", Double(count))
        }, width: width)
}

/// Whole numbers in full, others with as many digits as they need to be told apart.
private func axisNumber(_ value: Double) -> String {
    if abs(value) >= 1e15 { return "\(value)" }
    if abs(value) >= 1000 || value == value.rounded() { return grouped(Int64(value.rounded())) }
    return fixed(value, abs(value) >= 10 ? 1 : abs(value) >= 0.1 ? 2 : 4)
}
