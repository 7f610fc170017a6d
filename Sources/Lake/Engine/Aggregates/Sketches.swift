// Aggregates that are about right in bounded memory: distinct counts and percentiles.

import Base
import Columns
import Glibc
import SQL

/// approx_count_distinct: HyperLogLog (Flajolet, Fusy, Gandouet, Meunier 2007) with 2^14 registers,
/// whose standard error is 1.04 / 2^7 = 0.8 %. Groups with few values keep their hashes and are
/// exact, as long as no two hashes meet.
final class DistinctSketchAccumulator: Accumulator {
    private static let registerBits = 14
    private static let hashesMax = 1024

    private struct Sketch {
        var hashes: Set<UInt64> = []
        var registers: [UInt8] = []

        mutating func add(_ hash: UInt64) {
            if registers.isEmpty {
                hashes.insert(hash)
                if hashes.count > hashesMax { spread() }
            } else {
                note(hash)
            }
        }

        private mutating func spread() {
            registers = [UInt8](repeating: 0, count: 1 << registerBits)
            // Registers keep maxima, so the order does not matter.
            for hash in hashes { note(hash) }
            hashes = []
        }

        private mutating func note(_ hash: UInt64) {
            let register = Int(hash >> UInt64(64 - registerBits))
            let rest = hash << UInt64(registerBits) | 1 << UInt64(registerBits - 1)
            registers[register] = max(registers[register], UInt8(rest.leadingZeroBitCount + 1))
        }

        var estimate: Int64 {
            if registers.isEmpty { return Int64(hashes.count) }
            let count = Double(registers.count)
            var sum = 0.0
            var zeros = 0
            for register in registers {
                sum += 1 / Double(UInt64(1) << UInt64(register))
                zeros += register == 0 ? 1 : 0
            }
            let raw = 0.7213 / (1 + 1.079 / count) * count * count / sum
            // Below 2.5 values a register, counting the empty ones is better.
            if raw <= 2.5 * count, zeros > 0 {
                return Int64((count * log(count / Double(zeros))).rounded())
            }
            return Int64(raw.rounded())
        }
    }

    private var sketches: [Sketch] = []
    private var spreadCount = 0

    func grow(to groups: Int) { sketches.grow(to: groups, Sketch()) }

    func update(_ arguments: [Column], _ groups: [Int32]) throws(Problem) {
        let column = arguments[0].flattened
        var text: [UInt8] = []
        for row in ValidRows(column.fullValidity, groups.count) {
            let hash: UInt64
            switch column.data {
            case .int32(let values):
                hash = Self.finished(UInt64(bitPattern: Int64(values[row])))
            case .int64(let values): hash = Self.finished(UInt64(bitPattern: values[row]))
            default:
                text.removeAll(keepingCapacity: true)
                TextForm.append(column, row, to: &text)
                hash = Self.finished(text.withUnsafeBytes { KeyHash.bytes($0) })
            }
            let group = Int(groups[row])
            let wasSpread = !sketches[group].registers.isEmpty
            sketches[group].add(hash)
            if !wasSpread, !sketches[group].registers.isEmpty { spreadCount += 1 }
        }
    }

    /// The registers need bits that are all equally random (the finish of SplitMix64).
    private static func finished(_ word: UInt64) -> UInt64 {
        var hash = word &+ 0x9E37_79B9_7F4A_7C15
        hash = (hash ^ hash >> 30) &* 0xBF58_476D_1CE4_E5B9
        hash = (hash ^ hash >> 27) &* 0x94D0_49BB_1331_11EB
        return hash ^ hash >> 31
    }

    func finish() throws(Problem) -> Column {
        Column(type: .int64, data: .int64(sketches.map(\.estimate)))
    }

    var memoryBytes: Int {
        // An average guess for the small ones: a set of some words.
        sketches.heldCount * 64 + spreadCount << Self.registerBits
    }
}

/// approx_percentile: a merging t-digest (Dunning and Ertl, 2019) of about 200 centroids, finest at
/// both ends.
final class PercentileSketchAccumulator: Accumulator {
    private struct Digest {
        var means: [Double] = []
        var weights: [Double] = []
        var pending: [Double] = []
        var least = Double.infinity
        var greatest = -Double.infinity
        var fraction = Double.nan

        private static let compression = 200.0
        private static let pendingMax = 512

        mutating func add(_ value: Double) {
            pending.append(value)
            least = min(least, value)
            greatest = max(greatest, value)
            if pending.count == Self.pendingMax { merge() }
        }

        /// Sorts new values in and joins neighbours as far as the scale k1 lets them.
        mutating func merge() {
            if pending.isEmpty { return }
            var all = zip(means, weights).map { ($0, $1) } + pending.map { ($0, 1.0) }
            all.sort { $0.0 < $1.0 }
            pending.removeAll(keepingCapacity: true)
            let total = all.reduce(0) { $0 + $1.1 }
            (means, weights) = ([], [])
            var (mean, weight) = all[0]
            var before = 0.0
            var limit = Self.limit(behind: 0)
            for (value, more) in all.dropFirst() {
                if (before + weight + more) / total <= limit {
                    mean += (value - mean) * more / (weight + more)
                    weight += more
                    continue
                }
                means.append(mean)
                weights.append(weight)
                before += weight
                limit = Self.limit(behind: before / total)
                (mean, weight) = (value, more)
            }
            means.append(mean)
            weights.append(weight)
        }

        /// The share up to which a centroid that begins at share `q` may reach.
        private static func limit(behind q: Double) -> Double {
            let k = compression / (2 * Double.pi) * asin(2 * q - 1) + 1
            return k >= compression / 4 ? 1 : (sin(k * 2 * Double.pi / compression) + 1) / 2
        }

        func value(at share: Double) -> Double {
            let total = weights.reduce(0, +)
            let wanted = share * total
            if means.count == 1 || wanted < weights[0] / 2 {
                return share == 0 || means.count > 1 ? (share == 0 ? least : means[0]) : means[0]
            }
            var before = 0.0
            for index in 0..<(means.count - 1) {
                let from = before + weights[index] / 2
                let to = before + weights[index] + weights[index + 1] / 2
                if wanted <= to {
                    let part = to > from ? (wanted - from) / (to - from) : 0
                    return means[index] + (means[index + 1] - means[index]) * min(max(part, 0), 1)
                }
                before += weights[index]
            }
            return share == 1 ? greatest : means[means.count - 1]
        }
    }

    private var digests: [Digest] = []

    func grow(to groups: Int) { digests.grow(to: groups, Digest()) }

    func update(_ arguments: [Column], _ groups: [Int32]) throws(Problem) {
        guard case .float64(let values) = arguments[0].data,
            case .float64(let fractions) = arguments[1].data
        else { return }
        let valid = Validity.intersection(arguments[0].validity, arguments[1].validity)
        for row in ValidRows(valid, groups.count) {
            let share = fractions[row]
            guard share >= 0, share <= 1 else {
                throw Problem("22003", "percentile value \(share) is not between 0 and 1")
            }
            if values[row].isNaN { continue }
            let group = Int(groups[row])
            digests[group].fraction = share
            digests[group].add(values[row])
        }
    }

    func finish() throws(Problem) -> Column {
        var results: [Value] = []
        for index in digests.indices {
            digests[index].merge()
            results.append(
                digests[index].means.isEmpty
                    ? .null : .float(digests[index].value(at: digests[index].fraction)))
        }
        return Column(.float64, results)
    }

    var memoryBytes: Int {
        // Means, weights and values not merged yet, at most.
        digests.reduce(0) {
            $0 + 96 + ($1.means.capacity + $1.weights.capacity + $1.pending.capacity) * 8
        }
    }
}

/// arg_min and arg_max: the first argument of the row whose second is the least or the greatest.
final class ArgumentAccumulator: Accumulator {
    private let type: ColumnType
    private let wantsGreatest: Bool
    private var best: [Value] = []
    private var results: [Value] = []

    init(_ type: ColumnType, wantsGreatest: Bool) {
        self.type = type
        self.wantsGreatest = wantsGreatest
    }

    func grow(to groups: Int) {
        best.grow(to: groups, .null)
        results.grow(to: groups, .null)
    }

    func update(_ arguments: [Column], _ groups: [Int32]) throws(Problem) {
        let keys = arguments[1]
        for row in ValidRows(keys.fullValidity, groups.count) {
            let group = Int(groups[row])
            let key = keys.value(row)
            if !best[group].isNull {
                let order = ValueOrder.compare(key, best[group])
                if wantsGreatest ? order <= 0 : order >= 0 { continue }
            }
            best[group] = key
            results[group] = arguments[0].value(row)
        }
    }

    func finish() throws(Problem) -> Column { Column(type, results) }

    var memoryBytes: Int { best.heldCount * 192 }
}
