// Requests and responses as they travel: a length, a header, a body.
//
// request   int32 length | int16 api key | int16 version | int32 correlation id
//           | client id (classic nullable string, also when flexible) | tagged fields if flexible
//           | body
// response  int32 length | int32 correlation id | tagged fields if flexible, except for
//           ApiVersions, whose header is always the old one | body

import Base

/// A whole request body. `Response` is what answers it.
package protocol WireRequest: WireStructure {
    associatedtype Response: WireResponse
    static var apiKey: ApiKey { get }
    /// Like `write(to:version:)`, but record batches may be left to `splices`.
    func write(to writer: inout ByteWriter, version: Int16, splices: inout RecordSplices)
}

/// A whole response body.
package protocol WireResponse: WireStructure {
    static var apiKey: ApiKey { get }
    /// Like `write(to:version:)`, but record batches may be left to `splices`.
    func write(to writer: inout ByteWriter, version: Int16, splices: inout RecordSplices)
}

extension WireRequest {
    package func write(
        to writer: inout ByteWriter, version: Int16, splices: inout RecordSplices
    ) {
        write(to: &writer, version: version)
    }

    /// The whole request as it is sent, length included. Record batches are not copied.
    package func frame(version: Int16, correlationId: Int32, clientId: String?) -> [Bytes] {
        var writer = ByteWriter()
        var splices = RecordSplices(copies: false)
        writer.int32(0)
        RequestHeader(
            apiKey: Self.apiKey.rawValue, apiVersion: version, correlationId: correlationId,
            clientId: clientId
        ).write(to: &writer)
        write(to: &writer, version: version, splices: &splices)
        return splices.finish(writer)
    }
}

extension WireResponse {
    package func write(
        to writer: inout ByteWriter, version: Int16, splices: inout RecordSplices
    ) {
        write(to: &writer, version: version)
    }

    /// The whole response as it is sent, length included. Record batches are not copied.
    package func frame(version: Int16, correlationId: Int32) -> [Bytes] {
        var writer = ByteWriter()
        var splices = RecordSplices(copies: false)
        writer.int32(0)
        writer.int32(correlationId)
        if Self.apiKey.hasFlexibleResponseHeader(version: version) { writer.noTaggedFields() }
        write(to: &writer, version: version, splices: &splices)
        return splices.finish(writer)
    }
}

extension ApiKey {
    /// Whether the header of the answer ends in tagged fields. ApiVersions never does, because a
    /// client that asks for an unknown version must be able to read the refusal.
    package func hasFlexibleResponseHeader(version: Int16) -> Bool {
        self != .apiVersions && isFlexible(version: version)
    }
}

/// What stands before the body of a request.
package struct RequestHeader: Hashable, Sendable {
    /// Number of the request kind; it may be one that is not in `ApiKey`.
    package var apiKey: Int16
    package var apiVersion: Int16
    /// Chosen by the client, returned in the answer.
    package var correlationId: Int32
    package var clientId: String?

    package init(apiKey: Int16, apiVersion: Int16, correlationId: Int32, clientId: String?) {
        self.apiKey = apiKey
        self.apiVersion = apiVersion
        self.correlationId = correlationId
        self.clientId = clientId
    }

    /// The kind, when it is one that we know by name.
    package var kind: ApiKey? { ApiKey(rawValue: apiKey) }

    /// Reads a header from the begin of a request without its length.
    ///
    /// For a kind or version that the table doesn't serve, the reader stops behind the client id:
    /// whether tagged fields follow can't be known. The caller refuses such requests without
    /// reading on.
    package init(
        from reader: inout ByteReader, table: ApiVersionTable
    ) throws(DecodeFailure) {
        apiKey = try reader.int16()
        apiVersion = try reader.int16()
        correlationId = try reader.int32()
        clientId = try reader.nullableStringField(flexible: false)
        guard let kind, table.serves(kind, version: apiVersion) else { return }
        if kind.isFlexible(version: apiVersion) { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter) {
        writer.int16(apiKey)
        writer.int16(apiVersion)
        writer.int32(correlationId)
        writer.nullableStringField(clientId, flexible: false)
        if kind?.isFlexible(version: apiVersion) == true { writer.noTaggedFields() }
    }
}

/// What stands before the body of a response.
package struct ResponseHeader: Hashable, Sendable {
    package var correlationId: Int32

    package init(correlationId: Int32) { self.correlationId = correlationId }

    /// Reads the header of an answer to `apiKey` in `version`.
    package init(
        from reader: inout ByteReader, apiKey: ApiKey, version: Int16
    ) throws(DecodeFailure) {
        correlationId = try reader.int32()
        if apiKey.hasFlexibleResponseHeader(version: version) { try reader.skipTaggedFields() }
    }
}

/// Keeps record batches out of the buffer that a message is written to, so that they travel from
/// the log to the socket without a copy.
package struct RecordSplices {
    private let copies: Bool
    private var entries: [(position: Int, pieces: [Bytes])] = []
    private var splicedBytes = 0

    /// With `copies`, batches are written into the buffer like everything else.
    package init(copies: Bool) { self.copies = copies }

    /// Writes the length of the batches, and the batches themselves now or when finishing.
    package mutating func records(
        _ pieces: [Bytes], to writer: inout ByteWriter, flexible: Bool
    ) {
        let count = pieces.reduce(0) { $0 + $1.count }
        writer.bytesLength(count, flexible: flexible)
        if copies {
            for piece in pieces { writer.bytes(piece) }
        } else if count > 0 {
            entries.append((writer.count, pieces))
            splicedBytes += count
        }
    }

    /// The buffer and the batches in their order. The first four bytes become the length of all
    /// that follows them.
    package consuming func finish(_ writer: consuming ByteWriter) -> [Bytes] {
        writer.patchInt32(Int32(writer.count - 4 + splicedBytes), at: 0)
        let buffer = writer.finish()
        var pieces: [Bytes] = []
        var position = 0
        for entry in entries {
            pieces.append(buffer[position..<entry.position])
            pieces.append(contentsOf: entry.pieces)
            position = entry.position
        }
        if position < buffer.count { pieces.append(buffer[position..<buffer.count]) }
        return pieces
    }
}
