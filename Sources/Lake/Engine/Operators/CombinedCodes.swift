import Columns

/// Rows of several columns that are all codes of small dictionaries: which combinations of codes there
/// are, in the order of first appearance.
struct CombinedCodes {
    private static let combinationsMax = 4096

    /// For each row the number of its combination.
    private(set) var numbers: [Int32]
    /// For each combination its first row.
    private(set) var firstRows: [Int32] = []

    /// nil when a column has no codes, or when there may be more combinations than is worth it.
    init?(_ columns: [Column], count: Int) {
        guard !columns.isEmpty else { return nil }
        var size = 1
        numbers = [Int32](repeating: 0, count: count)
        for column in columns {
            guard case .dictionary(let codes, let values) = column.data, column.type == .text else {
                return nil
            }
            // NULL is one more code.
            let width = values.count + 1
            size *= width
            guard size <= min(Self.combinationsMax, count / 2),
                add(codes, column.validity, width: Int32(width))
            else { return nil }
        }
        var known = [Int32](repeating: -1, count: size)
        for row in 0..<count {
            let code = Int(numbers[row])
            if known[code] < 0 {
                known[code] = Int32(firstRows.count)
                firstRows.append(Int32(row))
            }
            numbers[row] = known[code]
        }
    }

    /// False when a code is none.
    private mutating func add(_ codes: [Int32], _ validity: Validity?, width: Int32) -> Bool {
        var largest: UInt32 = 0
        numbers.withUnsafeMutableBufferPointer { numbers in
            codes.withUnsafeBufferPointer { codes in
                if let validity {
                    for row in 0..<numbers.count {
                        let code = validity[row] ? codes[row] : width - 1
                        largest = max(largest, UInt32(bitPattern: code))
                        numbers[row] = numbers[row] &* width &+ code
                    }
                } else {
                    for row in 0..<numbers.count {
                        largest = max(largest, UInt32(bitPattern: codes[row]))
                        numbers[row] = numbers[row] &* width &+ codes[row]
                    }
                }
            }
        }
        return largest < UInt32(bitPattern: width)
    }
}
