import Base
import Columns

/// The rows of a page of a flat column, as they are kept until somebody wants some of them: codes
/// stay codes, and become values only for the rows that pass the conditions on other columns.
enum PageRows: Sendable {
    case values(Column)
    /// Codes into distinct values. A NULL row has some valid code.
    case coded([Int32], Column, Validity?)

    var count: Int {
        switch self {
        case .values(let column): column.count
        case .coded(let codes, _, _): codes.count
        }
    }
}

/// Some neighbouring rows of a column, where they are: nothing is copied yet.
struct ColumnPiece: Sendable {
    let page: PageRows
    let range: Range<Int>

    init(_ page: PageRows, _ range: Range<Int>) {
        self.page = page
        self.range = range
    }

    init(_ column: Column) { self.init(.values(column), 0..<column.count) }

    /// The rows `part` of the piece.
    func column(_ part: Range<Int>) -> Column {
        let rows = (range.lowerBound + part.lowerBound)..<(range.lowerBound + part.upperBound)
        switch page {
        case .values(let column): return column.slice(rows)
        case .coded(let codes, let dictionary, let validity):
            if case .text(let values) = dictionary.data, dictionary.type == .text {
                let codes = rows == codes.indices ? codes : Array(codes[rows])
                return Column(
                    type: .text, data: .dictionary(codes: codes, values: values),
                    validity: validity?.slice(rows))
            }
            return Column(
                type: dictionary.type, data: gather(dictionary.data, codes[rows]),
                validity: validity?.slice(rows))
        }
    }

    /// The rows at `places`, counted from the begin of the piece.
    func column(at places: ArraySlice<Int32>) -> Column {
        let base = Int32(range.lowerBound)
        switch page {
        case .values(let column):
            guard column.data.isFlat else { return column.gather(places.map { base + $0 }) }
            return Column(
                type: column.type, data: gather(column.data, places, from: base),
                validity: column.validity?.gather(places.map { base + $0 }))
        case .coded(let codes, let dictionary, let validity):
            let picked = pick(codes, places, from: base)
            let valid = validity?.gather(places.map { base + $0 })
            if case .text(let values) = dictionary.data, dictionary.type == .text {
                return Column(
                    type: .text, data: .dictionary(codes: picked, values: values), validity: valid)
            }
            return Column(
                type: dictionary.type, data: gather(dictionary.data, picked[...]), validity: valid)
        }
    }
}
