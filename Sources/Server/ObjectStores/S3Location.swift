import Base

/// Where in which bucket objects are: `s3://bucket/prefix`.
package struct S3Location: Equatable, Sendable {
    package var bucket: String
    /// Without a slash at its ends; empty for the whole bucket.
    package var prefix: String

    /// Checks the bucket's name by the general rules: 3 to 63 of `a-z 0-9 . -`, a letter or digit at
    /// both ends.
    package init(parsing url: String) throws(Problem) {
        guard url.hasPrefix("s3://") || url.hasPrefix("s3a://"),
            let start = url.firstRange(of: "://")?.upperBound
        else {
            throw Problem(
                "objects.url", "\"\(url)\" is not the address of a bucket",
                notes: ["expected s3://bucket/prefix"])
        }
        let parts = url[start...].split(separator: "/", omittingEmptySubsequences: true)
        let name = parts.first.map(String.init) ?? ""
        let isEnd = { (byte: UInt8) in (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte)
        }
        let isName =
            (3...63).contains(name.utf8.count)
            && name.utf8.allSatisfy { isEnd($0) || $0 == 0x2D || $0 == 0x2E }
            && isEnd(name.utf8.first ?? 0) && isEnd(name.utf8.last ?? 0)
        guard isName else {
            throw Problem(
                "objects.bucket", "\"\(name)\" is not the name of a bucket",
                notes: ["expected 3 to 63 of a-z, 0-9, \".\" and \"-\""])
        }
        for part in parts where part == "." || part == ".." {
            throw Problem("objects.url", "\"\(url)\" has a \"\(part)\" in its path")
        }
        bucket = name
        prefix = parts.dropFirst().joined(separator: "/")
    }

    /// The key of the object at `path`.
    func key(_ path: String) -> String {
        if prefix.isEmpty { return path }
        return path.isEmpty ? prefix : prefix + "/" + path
    }

    /// The path of the object with this key; nil when it is not below the prefix.
    func path(key: String) -> String? {
        if prefix.isEmpty { return key }
        guard key.hasPrefix(prefix + "/") else { return nil }
        return String(key.dropFirst(prefix.count + 1))
    }

    package var description: String { "s3://" + bucket + (prefix.isEmpty ? "" : "/" + prefix) }
}

/// Which service to ask, and how.
package struct S3Settings: Sendable {
    /// `http(s)://host[:port]`; nil for the region's own of Amazon.
    package var endpoint: String?
    /// nil = us-east-1.
    package var region: String?
    /// Whether the bucket is part of the path and not of the host's name; nil = with an endpoint of
    /// one's own, and for names with dots, which no certificate fits.
    package var usesPathStyle: Bool?
    /// A PEM file of authorities to trust instead of the system's.
    package var authorities: String?
    /// Objects of more bytes are sent in parts.
    package var singlePutBytesMax = 32 << 20
    /// The size of a part; 5 MiB at least, and 10,000 parts at most.
    package var partBytes = 16 << 20
    /// How often a request is sent that fails for a reason that may pass.
    package var attemptsMax = 8

    package init() {}

    /// The region that requests are signed for.
    var signingRegion: String { region ?? "us-east-1" }

    /// Scheme, authority and path before the key for requests to `bucket`.
    package func base(_ bucket: String) -> (scheme: String, host: String, path: String) {
        let isPath = usesPathStyle ?? (endpoint != nil || bucket.contains("."))
        var scheme = "https"
        var host = "s3.\(signingRegion).amazonaws.com"
        if let endpoint {
            let rest = endpoint.firstRange(of: "://")
            scheme = rest.map { String(endpoint[..<$0.lowerBound]) } ?? "https"
            host = rest.map { String(endpoint[$0.upperBound...]) } ?? endpoint
            while host.hasSuffix("/") { host.removeLast() }
        }
        return isPath ? (scheme, host, "/" + bucket) : (scheme, bucket + "." + host, "")
    }
}
