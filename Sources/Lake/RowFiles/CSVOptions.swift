import Base

/// The shape of a CSV file: RFC 4180, with what people vary.
package struct CSVOptions: Hashable, Sendable {
    package var delimiter: UInt8 = 0x2C
    package var quote: UInt8 = 0x22
    /// Whether the first record has the names of the columns.
    package var hasHeader = true
    /// The unquoted text that stands for NULL.
    package var null = ""

    package init() {}

    /// Refuses what would make a file that can be read in two ways.
    package func check() throws(Problem) {
        let breaks: [UInt8] = [0x0A, 0x0D, 0]
        guard delimiter != quote, !breaks.contains(delimiter), !breaks.contains(quote),
            delimiter < 0x80, quote < 0x80
        else {
            throw Problem(
                "22023", "delimiter and quote must be two different ASCII characters",
                notes: ["they can't be line breaks"])
        }
        if null.utf8.contains(where: { [delimiter, quote, 0x0A, 0x0D].contains($0) }) {
            throw Problem("22023", "the text for NULL can't have delimiters, quotes or line breaks")
        }
    }
}
