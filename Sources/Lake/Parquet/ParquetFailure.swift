import Base

/// Why a Parquet file could not be read or written.
package enum ParquetFailure: Error, Equatable, Sendable {
    /// The file breaks the format. `position` is where in the file the broken part begins.
    case corrupt(String, position: Int64)
    /// The file uses a feature of the format that is not read or written here.
    case unsupported(String)
    /// The file asks for more memory than `Limits` allow.
    case tooLarge(what: String, value: Int64, limit: Int64)
    /// A column was asked for that the file does not have.
    case noSuchColumn(String)
    /// The rows that were to be written do not fit the schema of the file.
    case invalidInput(String)
    /// The bytes could not be had.
    case storage(StorageFailure)
}

extension ParquetFailure {
    /// What a decoder found in bytes that begin at `base` of the file.
    init(_ failure: DecodeFailure, at base: Int64) {
        switch failure {
        case .unsupported(let what): self = .unsupported(what)
        case .tooLarge(let what, let value, let limit):
            self = .tooLarge(what: what, value: value, limit: limit)
        case .truncated(_, _, let position), .invalid(_, _, let position),
            .malformed(_, let position):
            self = .corrupt(failure.description, position: base &+ Int64(position))
        case .checksum: self = .corrupt(failure.description, position: base)
        }
    }
}

extension ParquetFailure {
    /// One word for programs.
    package var code: String {
        switch self {
        case .corrupt: "corrupt"
        case .unsupported: "unsupported"
        case .tooLarge: "tooLarge"
        case .noSuchColumn: "noSuchColumn"
        case .invalidInput: "invalidInput"
        case .storage: "storage"
        }
    }
}

extension ParquetFailure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .corrupt(let what, let position):
            "the Parquet file is damaged at position \(position): \(what)"
        case .unsupported(let feature): "not supported in Parquet files: \(feature)"
        case .tooLarge(let what, let value, let limit):
            "\(what) of the Parquet file is \(value), the limit is \(limit)"
        case .noSuchColumn(let name): "the Parquet file has no column \"\(name)\""
        case .invalidInput(let what): "cannot be written to a Parquet file: \(what)"
        case .storage(let failure): failure.description
        }
    }
}

/// Runs a decoder over bytes that begin at `base` of the file, and says in its error where in the
/// file the trouble is.
func decoding<Result>(
    at base: Int64, _ body: () throws(DecodeFailure) -> Result
) throws(ParquetFailure) -> Result {
    do throws(DecodeFailure) {
        return try body()
    } catch {
        throw ParquetFailure(error, at: base)
    }
}
