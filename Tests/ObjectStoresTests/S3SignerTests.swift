import Base
import Testing

import ObjectStores

/// The examples of "Authenticating Requests: Using the Authorization Header" in Amazon's manual.
@Suite struct S3SignerTests {
    private let signer = S3Signer(
        settings: S3Settings(), bucket: "examplebucket")
    private let credentials = S3Credentials(
        accessKeyID: "AKIAIOSFODNN7EXAMPLE",
        secretAccessKey: Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"))
    /// 2013-05-24T00:00:00Z.
    private let wall = Timestamp(milliseconds: 1_369_353_600_000)

    private func signature(_ request: S3Request) -> String {
        // The examples' host has no region.
        var settings = S3Settings()
        settings.endpoint = "https://s3.amazonaws.com"
        settings.usesPathStyle = false
        let signed = S3Signer(settings: settings, bucket: "examplebucket")
            .sign(request, credentials: credentials, wall: wall)
        let line = signed.headers.first { $0.hasPrefix("authorization: ") } ?? ""
        return String(line.suffix(64))
    }

    @Test func `a range of an object`() {
        var request = S3Request(.get, key: "test.txt")
        request.headers = [("range", "bytes=0-9")]
        #expect(
            signature(request)
                == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
    }

    @Test func `a new object`() {
        var request = S3Request(.put, key: "test$file.text")
        request.headers = [
            ("date", "Fri, 24 May 2013 00:00:00 GMT"),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ]
        request.body = Bytes(utf8: "Welcome to Amazon S3.")
        #expect(
            signature(request)
                == "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")
    }

    @Test func `a query without value`() {
        var request = S3Request(.get)
        request.query = [("lifecycle", "")]
        #expect(
            signature(request)
                == "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")
    }

    @Test func `a listing`() {
        var request = S3Request(.get)
        request.query = [("prefix", "J"), ("max-keys", "2")]
        #expect(
            signature(request)
                == "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")
    }

    @Test func `where requests go`() {
        var settings = S3Settings()
        settings.region = "eu-west-1"
        func base(_ bucket: String) -> String {
            let base = settings.base(bucket)
            return base.scheme + "://" + base.host + base.path
        }
        #expect(base("lake") == "https://lake.s3.eu-west-1.amazonaws.com")
        #expect(base("lake.example") == "https://s3.eu-west-1.amazonaws.com/lake.example")
        settings.endpoint = "http://127.0.0.1:9000/"
        #expect(base("lake") == "http://127.0.0.1:9000/lake")
        settings.usesPathStyle = false
        #expect(base("lake") == "http://lake.127.0.0.1:9000")
    }

    @Test func `a token of a session is signed and sent`() {
        var credentials = credentials
        credentials.sessionToken = Secret("token")
        let signed = signer.sign(S3Request(.get), credentials: credentials, wall: wall)
        #expect(signed.headers.contains("x-amz-security-token: token"))
        #expect(
            signed.headers.last?.contains(
                "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,") == true)
        #expect(!"\(credentials)".contains("token\""))
    }
}
