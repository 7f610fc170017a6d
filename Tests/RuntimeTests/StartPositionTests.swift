import Base
import Runtime
import Testing

@Suite struct StartPositionTests {
    let now = Timestamp(milliseconds: 1_767_323_045_678)

    @Test(
        arguments: [
            ("start", .start), ("beginning", .start), ("end", .end), ("0", .offset(0)),
            ("42", .offset(42)), ("-5", .beforeEnd(5)), ("@0", .time(0)),
            ("s@1767323045678", .time(1_767_323_045_678)),
            ("@-15m", .time(1_767_323_045_678 - 900_000)),
            ("@2026-01-02T03:04:05.678Z", .time(1_767_323_045_678)),
            ("@2026-01-02 03:04", .time(1_767_323_040_000)),
            ("@2024-02-29", .time(1_709_164_800_000)),
        ] as [(String, StartPosition)])
    func `places are understood`(text: String, position: StartPosition) throws {
        #expect(try StartPosition(parsing: text, now: now) == position)
    }

    @Test(arguments: [
        "", "begin", "1.5", "@", "@x", "@2026-13-01", "@2026-04-31", "@2023-02-29", "@-5",
        "@-99999999999999999999d", "@9999999999999999999", "@2026-01-02T25:00", "e@5",
    ])
    func `others are refused`(text: String) {
        #expect(throws: Problem.self) { try StartPosition(parsing: text, now: now) }
    }

    @Test func `dates and days are each other's inverse`() {
        for days in stride(from: Int64(-800_000), through: 800_000, by: 373) {
            let date = civilDate(daysSince1970: days)
            #expect(daysSince1970(year: date.year, month: date.month, day: date.day) == days)
        }
    }

    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
    ])
    func `base64 follows its standard`(plain: String, coded: String) {
        #expect(base64(Bytes(utf8: plain)) == coded)
        #expect(bytes(base64: coded) == Bytes(utf8: plain))
    }

    @Test(arguments: ["Zg=", "Z", "Zg==Zg==", "Z===", "====", "Zm9 ", "Zm-_"])
    func `broken base64 is refused`(text: String) {
        #expect(bytes(base64: text) == nil)
    }
}
