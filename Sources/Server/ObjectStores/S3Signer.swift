import Base
import Crypto

/// Signs requests by version 4 of Amazon's scheme ("Authenticating Requests: Using the
/// Authorization Header"): a pure function of request, credentials and time.
package struct S3Signer: Sendable {
    package var settings: S3Settings
    package var bucket: String

    package init(settings: S3Settings, bucket: String) {
        self.settings = settings
        self.bucket = bucket
    }

    /// `wall`: the clock, which may differ from the service's by 15 minutes.
    package func sign(
        _ request: S3Request, credentials: S3Credentials, wall: Timestamp
    ) -> SignedRequest {
        let base = settings.base(bucket)
        let moment = Self.moment(wall)
        let day = String(moment.prefix(8))
        let payload = Hexadecimal.text(Digest.sha256.hash(request.body).array)
        var headers = request.headers
        headers.append(("host", base.host))
        headers.append(("x-amz-content-sha256", payload))
        headers.append(("x-amz-date", moment))
        if let token = credentials.sessionToken {
            headers.append(("x-amz-security-token", token.exposed.text))
        }
        headers.sort { $0.name < $1.name }
        let path = base.path + "/" + PercentCoding.encodedPart(request.key, keeping: "/")
        let query = request.query
            .map { (PercentCoding.encodedPart($0.name), PercentCoding.encodedPart($0.value)) }
            .sorted { $0 < $1 }
            .map { $0.0 + "=" + $0.1 }.joined(separator: "&")
        let names = headers.map(\.name).joined(separator: ";")
        let canonical = [
            request.method.rawValue, path, query,
            headers.map { "\($0.name):\($0.value)\n" }.joined(), names, payload,
        ].joined(separator: "\n")
        let scope = "\(day)/\(settings.signingRegion)/s3/aws4_request"
        let text = [
            "AWS4-HMAC-SHA256", moment, scope,
            Hexadecimal.text(Digest.sha256.hash(Bytes(utf8: canonical)).array),
        ].joined(separator: "\n")
        var key = Bytes(Array("AWS4".utf8) + credentials.secretAccessKey.exposed.array)
        for part in [day, settings.signingRegion, "s3", "aws4_request"] {
            key = Digest.sha256.authenticate(Bytes(utf8: part), key: key)
        }
        let signature = Hexadecimal.text(
            Digest.sha256.authenticate(Bytes(utf8: text), key: key).array)
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
}
