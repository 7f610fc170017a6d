/// A piece of SQL text. The text itself is decoded on demand.
struct Token: Hashable, Sendable {
    enum Kind: UInt8, Sendable {
        case word, quotedWord, string, escapeString, dollarString, number, parameter, symbol, end
    }

    var kind: Kind
    /// Of a word that is a keyword.
    var keyword: Keyword?
    /// UTF-8 bytes from the start of the text.
    var start: Int32
    var end: Int32

    var position: Int { Int(start) }
}
