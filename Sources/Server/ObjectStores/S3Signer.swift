import Base
import Crypto

/// Signs requests by version 4 of Amazon's scheme ("Authenticating Requests: Using the
/// Authorization Header"): a pure function of request, credentials and time.
struct S3Signer: Sendable {
    var settings: S3Settings
    var bucket: String

    /// `wall`: the clock, which may differ from the service's by 15 minutes.
    func sign(
        _ request: S3Request, credentials: S3Credentials, wall: Timestamp
    ) -> SignedRequest {
        let base = settings.base(bucket)
        let moment = Self.moment(wall)
        let day = String(moment.prefix(8))
        let payload = Self.hex(Digest.sha256.hash(request.body))
        var headers = request.headers
        headers.append(("host", base.host))
        headers.append(("x-amz-content-sha256", payload))
        headers.append(("x-amz-date", moment))
        if let token = credentials.sessionToken {
            headers.append(("x-amz-security-token", token.exposed.text))
        }
        headers.sort { $0.name < $1.name }
        let path = base.path + "/" + Self.encoded(request.key, keeps: "/")
        let query = request.query
            .map { (Self.encoded($0.name), Self.encoded($0.value)) }
            .sorted { $0 < $1 }
            .map { $0.0 + "=" + $0.1 }.joined(separator: "&")
        let names = headers.map(\.name).joined(separator: ";")
        let canonical = [
            request.method.rawValue, path, query,
            headers.map { "\($0.name):\($0.value)\n" }.joined(), names, payload,
        ].joined(separator: "\n")
        let scope = "\(day)/\(settings.signingRegion)/s3/aws4_request"
        let text = [
            "AWS4-HMAC-SHA256", moment, scope, Self.hex(Digest.sha256.hash(Bytes(utf8: canonical))),
        ].joined(separator: "\n")
        var key = Bytes(Array("AWS4".utf8) + credentials.secretAccessKey.exposed.array)
        for part in [day, settings.signingRegion, "s3", "aws4_request"] {
            key = Digest.sha256.authenticate(Bytes(utf8: part), key: key)
        }
        let signature = Self.hex(Digest.sha256.authenticate(Bytes(utf8: text), key: key))
        var lines = headers.map { "\($0.name): \($0.value)" }
        lines.append(
            "authorization: AWS4-HMAC-SHA256 Credential=\(credentials.accessKeyID)/\(scope),"
                + "SignedHeaders=\(names),Signature=\(signature)")
        return SignedRequest(
            method: request.method,
            url: "\(base.scheme)://\(base.host)\(path)" + (query.isEmpty ? "" : "?" + query),
            headers: lines, body: request.body, answerBytesMax: request.answerBytesMax)
    }

    /// `YYYYMMDDTHHMMSSZ`.
    static func moment(_ wall: Timestamp) -> String {
        let seconds = max(0, wall.milliseconds / 1000)
        let (year, month, day) = civilDate(daysSinceEpoch: Int(seconds / 86_400))
        let rest = Int(seconds % 86_400)
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : String(value) }
        return "\(year)\(two(month))\(two(day))T\(two(rest / 3600))\(two(rest / 60 % 60))"
            + "\(two(rest % 60))Z"
    }

    static func hex(_ bytes: Bytes) -> String {
        var digits: [UInt8] = []
        digits.reserveCapacity(bytes.count * 2)
        for byte in bytes.array {
            for nibble in [byte >> 4, byte & 15] {
                digits.append(nibble < 10 ? 0x30 + nibble : 0x57 + nibble)
            }
        }
        return String(decoding: digits, as: UTF8.self)
    }

    /// Percent-encoded but for the unreserved characters of RFC 3986 and those in `keeps`.
    static func encoded(_ text: String, keeps: String = "") -> String {
        let kept = Array(keeps.utf8)
        var result: [UInt8] = []
        result.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            switch byte {
            case 0x41...0x5A, 0x61...0x7A, 0x30...0x39, 0x2D, 0x2E, 0x5F, 0x7E:
                result.append(byte)
            case _ where kept.contains(byte): result.append(byte)
            default:
                result.append(0x25)
                for nibble in [byte >> 4, byte & 15] {
                    result.append(nibble < 10 ? 0x30 + nibble : 0x37 + nibble)
                }
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
