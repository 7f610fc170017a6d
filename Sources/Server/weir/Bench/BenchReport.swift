import Base
import Runtime

/// One number of a benchmark.
struct BenchFigure {
    /// Which part of the report it belongs to: `results`, `broker`, `client`, `raw`, `ratios`.
    var section: String
    /// Its name for programs; the unit is its end, as in `p99_ms`.
    var key: String
    var value: Double?
    var unit: String
}

/// What a benchmark found out: the same figures for people and for programs.
struct BenchReport {
    let benchmark: String
    /// How it was set up, in the order of telling.
    var options: [(name: String, value: JSONValue)] = []
    private(set) var figures: [BenchFigure] = []

    init(_ benchmark: String) { self.benchmark = benchmark }

    mutating func add(_ section: String, _ key: String, _ value: Double?, _ unit: String) {
        figures.append(BenchFigure(section: section, key: key, value: value, unit: unit))
    }

    /// `part` of `whole`, left out when one of them is not known.
    mutating func addRatio(_ key: String, _ part: Double?, to whole: Double?) {
        guard let part, let whole, whole > 0 else { return }
        add("ratios", key, part / whole, "")
    }

    func value(_ section: String, _ key: String) -> Double? {
        figures.first { $0.section == section && $0.key == key }?.value
    }

    /// p50, p99, p99.9 and the largest of a histogram, in milliseconds.
    mutating func add(_ section: String, _ name: String, _ histogram: LatencyHistogram) {
        guard histogram.count > 0 else { return }
        let prefix = name.isEmpty ? "" : name + "_"
        for (key, share) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999)] {
            add(section, "\(prefix)\(key)_ms", Double(histogram.percentile(share)) / 1e6, "ms")
        }
        add(section, "\(prefix)max_ms", Double(histogram.maximum) / 1e6, "ms")
    }

    private var sections: [String] {
        var names: [String] = []
        for figure in figures where !names.contains(figure.section) { names.append(figure.section) }
        return names
    }

    var json: JSONValue {
        var members = [JSONMember("benchmark", .string(benchmark))]
        members.append(
            JSONMember("options", .object(options.map { JSONMember($0.name, $0.value) })))
        for section in sections {
            let inner = figures.filter { $0.section == section }.map {
                JSONMember($0.key, $0.value.map { .double(Self.rounded($0)) } ?? .null)
            }
            members.append(JSONMember(section, .object(inner)))
        }
        return .object(members)
    }

    /// Six significant digits are more than a measurement has.
    private static func rounded(_ value: Double) -> Double {
        guard value != 0, value.isFinite else { return value }
        var scale = 1.0
        var size = abs(value)
        while size < 100_000, scale < 1e9 {
            size *= 10
            scale *= 10
        }
        return (value * scale).rounded() / scale
    }

    var table: TextTable {
        TextTable(
            [
                .init("SECTION"), .init("FIGURE"), .init("VALUE", isNumber: true), .init("UNIT"),
            ],
            rows: figures.map {
                [
                    $0.section, $0.key, $0.value.map { JSONValue.double(Self.rounded($0)).text },
                    $0.unit,
                ]
            })
    }

    var text: String {
        var text = benchmark
        if !options.isEmpty {
            let shown = options.map { name, value in
                "\(name) \(value.stringValue ?? value.text)"
            }
            text += ": " + shown.joined(separator: ", ")
        }
        text = wrapped(text, width: 98).joined(separator: "\n  ") + "\n"
        let width = figures.map { displayWidth($0.key) }.max() ?? 0
        for section in sections {
            text += "\n\(section)\n"
            for figure in figures where figure.section == section {
                let value = figure.value.map(Self.shown) ?? "-"
                text += "  " + padded(figure.key, width)
                text += padded(value, 14, rightAligned: true)
                text += figure.unit.isEmpty ? "\n" : " \(figure.unit)\n"
            }
        }
        return text
    }

    private static func shown(_ value: Double) -> String {
        switch abs(value) {
        case 0: "0"
        case 1000...: grouped(Int64(value.rounded()))
        case 100...: fixed(value, 0)
        case 10...: fixed(value, 1)
        case 1...: fixed(value, 2)
        default: fixed(value, 3)
        }
    }
}
