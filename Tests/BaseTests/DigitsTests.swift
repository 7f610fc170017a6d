import Base
import Testing

struct HexadecimalTests {
    @Test func `bytes become two digits each`() {
        #expect(Hexadecimal.text([0x00, 0x0F, 0xA9, 0xFF]) == "000fa9ff")
        #expect(Hexadecimal.text([]) == "")
    }

    @Test func `digits of either case have their value, other bytes none`() {
        for byte in UInt8.min...UInt8.max {
            let expected = UInt8(String(UnicodeScalar(byte)), radix: 16)
            #expect(Hexadecimal.value(byte) == expected, "byte \(byte)")
        }
        for value in UInt8(0)...15 {
            #expect(Hexadecimal.value(Hexadecimal.digit(value)) == value)
            #expect(Hexadecimal.value(Hexadecimal.upperDigit(value)) == value)
            #expect(Hexadecimal.digit(value | 0xF0) == Hexadecimal.digit(value))
        }
    }

    @Test func `a number has one to eight digits`() {
        #expect(Hexadecimal.number("00e9".utf8) == 0xE9)
        #expect(Hexadecimal.number("FFFFFFFF".utf8) == .max)
        #expect(Hexadecimal.number("100000000".utf8) == nil)
        #expect(Hexadecimal.number("00g9".utf8) == nil)
        #expect(Hexadecimal.number("".utf8) == nil)
    }
}

struct PercentCodingTests {
    @Test(arguments: [
        ("a b", "a%20b"), ("ä", "%C3%A4"), ("a/b", "a%2Fb"), ("-._~", "-._~"), ("%3A", "%253A"),
        ("=", "%3D"), ("", ""), ("azAZ09", "azAZ09"), ("\u{0}\u{7F}", "%00%7F"),
    ])
    func `everything but unreserved characters is encoded`(text: String, expected: String) {
        #expect(PercentCoding.encodedPart(text) == expected)
        #expect(PercentCoding.decoded(expected) == text)
    }

    @Test func `some characters are kept when asked for`() {
        #expect(PercentCoding.encodedPart("a/b=c d", keeping: "/=") == "a/b=c%20d")
        #expect(PercentCoding.encoded("a:b%") { $0 == 0x3A || $0 == 0x25 } == "a%3Ab%25")
    }

    @Test(arguments: [
        ("%", "%"), ("%4", "%4"), ("%4g", "%4g"), ("%%41", "%A"), ("%2541", "%41"), ("%c3%A4", "ä"),
        ("100%25", "100%"), ("%41%", "A%"),
    ])
    func `a sign that begins no form stands for itself`(text: String, expected: String) {
        #expect(PercentCoding.decoded(text) == expected)
    }

    @Test func `what is not UTF-8 is nothing`() {
        #expect(PercentCoding.decoded("%FF") == nil)
        #expect(PercentCoding.decoded("%C3") == nil)
    }
}
