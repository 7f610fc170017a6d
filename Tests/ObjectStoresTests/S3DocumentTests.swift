import Base
import Testing

import ObjectStores

@Suite struct S3DocumentTests {
    private func parse(_ text: String) throws -> S3Document.Element {
        try S3Document(Bytes(utf8: text)).root
    }

    @Test func `a listing is read`() throws {
        let root = try parse(
            """
            <?xml version="1.0" encoding="UTF-8"?>
            <!-- a remark > with signs -->
            <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>false</IsTruncated>
              <Contents><Key>a&amp;b&#x2F;&lt;c&gt;</Key><Size>7</Size><Owner/></Contents>
              <Contents><Key>d</Key><Size>0</Size></Contents>
            </ListBucketResult>
            """)
        #expect(root.name == "ListBucketResult")
        #expect(root["IsTruncated"] == "false")
        #expect(root.all("Contents").map { $0["Key"] } == ["a&b/<c>", "d"])
        #expect(root.all("Contents")[0]["Owner"] == "")
    }

    @Test(arguments: [
        "", "text", "<a>", "<a></b>", "</a>", "<a><b></a></b>", "<a/><b/>", "<a>&what;</a>",
        "<a>&amp</a>", "<!DOCTYPE a><a/>", "<>x</>", "<a", "<!-- a", "<a>&#xD800;</a>",
        "<a>&#;</a>",
    ])
    func `what is no document is an error`(text: String) {
        #expect(throws: DecodeFailure.self) { try parse(text) }
    }

    @Test func `depth is bounded`() {
        let deep = String(repeating: "<a>", count: 100_000)
        #expect(throws: DecodeFailure.self) { try parse(deep) }
    }

    @Test func `any bytes end in an answer`() {
        var random = Random(seed: 7)
        let alphabet = Array("<>/&;!-?a \u{0}ä#x".utf8)
        for _ in 0..<20_000 {
            let bytes = (0..<random.below(40)).map { _ in alphabet[random.below(alphabet.count)] }
            _ = try? S3Document(Bytes(bytes))
        }
    }

    @Test func `moments`() {
        #expect(
            S3Document.moment("2009-10-12T17:50:30.123Z")
                == Timestamp(milliseconds: 1_255_369_830_123))
        #expect(
            S3Document.moment("2009-10-12T17:50:30Z")
                == Timestamp(milliseconds: 1_255_369_830_000))
        for text in ["", "2009-10-12", "2009-13-12T17:50:30Z", "x", "2009-10-12T17:50:30"] {
            #expect(S3Document.moment(text) == nil, "\(text)")
        }
    }

    @Test(arguments: [
        ("s3://bucket", "bucket", ""), ("s3://bucket/", "bucket", ""),
        ("s3://bucket/a/b/", "bucket", "a/b"), ("s3a://my.bucket-1//a", "my.bucket-1", "a"),
    ])
    func `addresses of buckets`(url: String, bucket: String, prefix: String) throws {
        let location = try S3Location(parsing: url)
        #expect(location.bucket == bucket)
        #expect(location.prefix == prefix)
    }

    @Test(arguments: [
        "bucket", "s3://", "s3:///a", "s3://AB", "s3://ab", "s3://-abc", "s3://a_b/c",
        "http://bucket", "s3://bucket/../other",
    ])
    func `what is no address of a bucket is refused`(url: String) {
        #expect(throws: Problem.self) { try S3Location(parsing: url) }
    }

    @Test func `credentials are found where other programs find them`() throws {
        let file = """
            # remark
            [default]
            aws_access_key_id = ONE
            aws_secret_access_key=first=secret
            [other]
            aws_access_key_id = TWO
            aws_secret_access_key = second
            aws_session_token = token
            """
        func find(_ variables: [String: String], _ text: String? = file) throws -> S3Credentials {
            try S3Credentials.find(environment: { variables[$0] }, sharedFile: { text })
        }
        let first = try find([:])
        #expect(first.accessKeyID == "ONE")
        #expect(first.secretAccessKey.exposed.text == "first=secret")
        #expect(first.sessionToken == nil)
        let second = try find(["AWS_PROFILE": "other"])
        #expect(second.accessKeyID == "TWO")
        #expect(second.sessionToken?.exposed.text == "token")
        let third = try find(["AWS_ACCESS_KEY_ID": "X", "AWS_SECRET_ACCESS_KEY": "Y"])
        #expect(third.accessKeyID == "X")
        #expect(throws: Problem.self) { try find(["AWS_PROFILE": "missing"]) }
        #expect(throws: Problem.self) { try find([:], nil) }
    }
}
