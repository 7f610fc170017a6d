// Variants to and from everything else, and ways into them.

import Base
import Columns

enum VariantKernels {
    /// Any value as a variant; NULL stays NULL. A text becomes a variant of text, whatever is in it.
    static func from(_ argument: Vector, count: Int) throws(Problem) -> Column {
        var builder = ColumnBuilder(.variant)
        for row in 0..<count {
            let value = argument.value(row)
            if value.isNull {
                builder.appendNull()
                continue
            }
            do throws(DecodeFailure) {
                let encoded = try VariantEncoding(value, argument.type) { textForm($0, $1) ?? "" }
                builder.append(
                    .variant(metadata: encoded.metadata.array, value: encoded.value.array))
            } catch {
                throw damaged(error)
            }
        }
        return builder.finish()
    }

    /// As jsonb: what JSON has no form for is text there.
    static func toJSON(_ argument: Vector, count: Int) throws(Problem) -> Column {
        try texts(argument, type: .json, count: count) { json throws(Problem) in
            Array(try JSONNormalizer.normalize(json.text).utf8)
        }
    }

    /// As text: texts as they are, all else as JSON. A variant of null is NULL.
    static func toText(_ argument: Vector, count: Int) throws(Problem) -> Column {
        try texts(argument, type: .text, count: count) { json throws(Problem) in
            switch json {
            case .null: nil
            case .string(let text): Array(text.utf8)
            default: Array(json.text.utf8)
            }
        }
    }

    private static func texts(
        _ argument: Vector, type: ColumnType, count: Int,
        _ form: (JSONValue) throws(Problem) -> [UInt8]?
    ) throws(Problem) -> Column {
        var sink = TextSink(capacity: count)
        var valid = Validity(repeating: true, count: count)
        for row in 0..<count {
            guard case .variant(let metadata, let bytes) = argument.value(row) else {
                valid.set(row, false)
                sink.appendEmpty()
                continue
            }
            let json: JSONValue
            do throws(DecodeFailure) {
                json = try JSONValue(variant: Bytes(metadata), value: Bytes(bytes))
            } catch {
                throw damaged(error)
            }
            if let text = try form(json) {
                sink.append(text)
            } else {
                valid.set(row, false)
                sink.appendEmpty()
            }
        }
        return Column(type: type, data: .text(sink.finish()), validity: valid)
    }

    /// What is at the end of a path of names and places in arrays; NULL when nothing is.
    static func path(_ argument: Vector, _ steps: Vector, count: Int) throws(Problem) -> Column {
        var builder = ColumnBuilder(.variant)
        for row in 0..<count {
            guard case .variant(let metadata, let bytes) = argument.value(row),
                case .list(let path) = steps.value(row)
            else {
                builder.appendNull()
                continue
            }
            do throws(DecodeFailure) {
                if let found = try inner(Bytes(bytes), Bytes(metadata), path) {
                    builder.append(.variant(metadata: metadata, value: found.array))
                } else {
                    builder.appendNull()
                }
            } catch {
                throw damaged(error)
            }
        }
        return builder.finish()
    }

    private static func inner(
        _ value: Bytes, _ metadata: Bytes, _ path: [Value]
    ) throws(DecodeFailure) -> Bytes? {
        let names = try VariantNames(metadata)
        var value = value
        for case .text(let step) in path {
            switch try VariantNode(value) {
            case .object(let members):
                let wanted = Bytes(utf8: step)
                let found = members.first { $0.name < names.count && names[$0.name] == wanted }
                guard let found else { return nil }
                value = found.value
            case .array(let elements):
                guard let index = Int(step), elements.indices.contains(index) else { return nil }
                value = elements[index]
            default: return nil
            }
        }
        return value
    }

    private static func damaged(_ failure: DecodeFailure) -> Problem {
        Problem("22030", "a variant is damaged: \(failure)")
    }
}
