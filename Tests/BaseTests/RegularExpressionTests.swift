import Base
import Testing

@Suite struct RegularExpressionTests {
    @Test func `a pattern matches whole texts only`() throws {
        let pattern = try RegularExpression("^orders\\.(eu|us)$")
        #expect(pattern.matches("orders.eu"))
        #expect(!pattern.matches("orders.eu2"))
        #expect(!pattern.matches("orders_eu"))
        #expect(try !RegularExpression("orders").matches("orders.eu"))
        #expect(try RegularExpression("orders.*").matches("orders.eu"))
        #expect(try RegularExpression("").matches(""))
        #expect(try RegularExpression("ß+").matches("ßß"))
    }

    @Test func `what is no pattern is refused with a reason`() {
        for text in ["(", "[a", "a**(?=b)", "(?<!x)y", "\\1", "*"] {
            #expect(throws: RegularExpressionFailure.self, "\(text)") {
                try RegularExpression(text)
            }
        }
        #expect(throws: RegularExpressionFailure.self) {
            try RegularExpression(
                String(repeating: "a", count: RegularExpression.patternBytesMax + 1))
        }
    }

    @Test func `patterns that explode elsewhere are linear or refused here`() throws {
        let text = String(repeating: "a", count: 249)
        #expect(try !RegularExpression("(a*)*b").matches(text))
        #expect(try !RegularExpression("(a|a)*(a|a)*(a|a)*c").matches(text))
        #expect(throws: RegularExpressionFailure.self) {
            try RegularExpression("((a{100}){100}){100}")
        }
    }
}
