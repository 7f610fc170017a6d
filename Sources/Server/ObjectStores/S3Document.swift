import Base

/// The XML documents of the service: listings, errors, the results of uploads in parts. Reads the
/// part of XML that they use: elements, text, the five entities and numbers; attributes, remarks and
/// declarations are passed over. No document type, so no entities of its own.
package struct S3Document: Sendable {
    package struct Element: Sendable {
        package var name: String
        package var text = ""
        package var children: [Element] = []

        /// The text of the first child of that name.
        package subscript(_ name: String) -> String? {
            children.first { $0.name == name }?.text
        }
        package func all(_ name: String) -> [Element] { children.filter { $0.name == name } }
    }

    private static let depthMax = 16
    private static let elementsMax = 100_000

    package private(set) var root: Element

    package init(_ content: Bytes) throws(DecodeFailure) {
        guard let text = content.validText else {
            throw .malformed("text in UTF-8 expected", position: 0)
        }
        let bytes = Array(text.utf8)
        var open: [Element] = []
        var root: Element?
        var count = 0
        var at = 0
        var textStart = 0
        func find(_ byte: UInt8, from start: Int) throws(DecodeFailure) -> Int {
            guard let found = bytes[start...].firstIndex(of: byte) else {
                throw .truncated(needed: 1, available: 0, position: start)
            }
            return found
        }
        while at < bytes.count {
            guard bytes[at] == 0x3C else {
                at += 1
                continue
            }
            if !open.isEmpty {
                open[open.count - 1].text += try Self.plain(bytes[textStart..<at], at: textStart)
            }
            if bytes[at...].starts(with: "<!--".utf8) {
                var end = at + 4
                while !bytes[end...].starts(with: "-->".utf8) {
                    end += 1
                    guard end < bytes.count else {
                        throw .truncated(needed: 3, available: 0, position: at)
                    }
                }
                at = end + 3
            } else {
                let end = try find(0x3E, from: at)
                let tag = bytes[(at + 1)..<end]
                if tag.first == 0x3F {
                    // A declaration.
                } else if tag.first == 0x21 {
                    throw .malformed("a document type is not expected here", position: at)
                } else if tag.first == 0x2F {
                    guard let last = open.popLast(),
                        Array(last.name.utf8) == Array(tag.dropFirst().filter { $0 > 0x20 })
                    else { throw .malformed("an end without its begin", position: at) }
                    Self.close(last, &open, &root)
                } else {
                    count += 1
                    guard open.count < Self.depthMax, count <= Self.elementsMax, root == nil else {
                        throw .malformed("more elements than expected", position: at)
                    }
                    let name = tag.prefix { $0 > 0x20 && $0 != 0x2F }
                    guard !name.isEmpty else { throw .malformed("a name expected", position: at) }
                    let element = Element(name: String(decoding: name, as: UTF8.self))
                    if tag.last == 0x2F {
                        Self.close(element, &open, &root)
                    } else {
                        open.append(element)
                    }
                }
                at = end + 1
            }
            textStart = at
        }
        guard open.isEmpty, let root else {
            throw .truncated(needed: 1, available: 0, position: bytes.count)
        }
        self.root = root
    }

    private static func close(
        _ element: Element, _ open: inout [Element], _ root: inout Element?
    ) {
        if open.isEmpty {
            root = element
        } else {
            open[open.count - 1].children.append(element)
        }
    }

    private static let entities: [(name: String, byte: UInt8)] = [
        ("amp", 0x26), ("lt", 0x3C), ("gt", 0x3E), ("quot", 0x22), ("apos", 0x27),
    ]

    private static func plain(
        _ text: ArraySlice<UInt8>, at position: Int
    ) throws(DecodeFailure) -> String {
        guard text.contains(0x26) else { return String(decoding: text, as: UTF8.self) }
        var result: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            guard byte == 0x26 else {
                result.append(byte)
                continue
            }
            guard let end = rest.prefix(12).firstIndex(of: 0x3B) else {
                throw .malformed("an entity without end", position: position)
            }
            let name = String(decoding: rest[rest.startIndex..<end], as: UTF8.self)
            rest = rest[(end + 1)...]
            if let known = entities.first(where: { $0.name == name }) {
                result.append(known.byte)
            } else if name.first == "#",
                let code = name.dropFirst().first == "x"
                    ? UInt32(name.dropFirst(2), radix: 16) : UInt32(name.dropFirst()),
                let scalar = Unicode.Scalar(code)
            {
                result += Array(String(Character(scalar)).utf8)
            } else {
                throw .malformed("\"&\(name);\" is not known", position: position)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// `YYYY-MM-DDTHH:MM:SS[.mmm]Z`; nil when it is another text.
    package static func moment(_ text: String) -> Timestamp? {
        let parts = text.split { !$0.isASCII || !$0.isNumber }
        guard parts.count >= 6, text.hasSuffix("Z"),
            let year = Int(parts[0]), let month = Int(parts[1]), let day = Int(parts[2]),
            let hour = Int(parts[3]), let minute = Int(parts[4]), let second = Int(parts[5]),
            (1970...9999).contains(year), (1...12).contains(month), (1...31).contains(day),
            hour < 24, minute < 60, second < 61
        else { return nil }
        let fraction = parts.count > 6 ? Int((parts[6] + "00").prefix(3)) ?? 0 : 0
        let days = daysSinceEpoch(year: year, month: month, day: day)
        let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second
        return Timestamp(milliseconds: Int64(seconds) * 1000 + Int64(fraction))
    }
}
