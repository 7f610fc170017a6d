import Base

/// Who asks.
package struct S3Credentials: Sendable {
    package var accessKeyID: String
    package var secretAccessKey: Secret
    package var sessionToken: Secret?

    package init(accessKeyID: String, secretAccessKey: Secret, sessionToken: Secret? = nil) {
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
    }

    /// Where other programs look, too: the variables AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
    /// AWS_SESSION_TOKEN, then the profile AWS_PROFILE (`default`) in the text of the shared file.
    package static func find(
        environment: (String) -> String?, sharedFile: () -> String?
    ) throws(Problem) -> S3Credentials {
        if let id = environment("AWS_ACCESS_KEY_ID"),
            let secret = environment("AWS_SECRET_ACCESS_KEY")
        {
            return S3Credentials(
                accessKeyID: id, secretAccessKey: Secret(secret),
                sessionToken: environment("AWS_SESSION_TOKEN").map { Secret($0) })
        }
        let profile = environment("AWS_PROFILE") ?? "default"
        if let text = sharedFile(), let found = parse(text, profile: profile) { return found }
        throw Problem(
            "objects.credentials", "no credentials for the object store were found",
            notes: [
                "looked for AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment",
                "and for the profile \"\(profile)\" in ~/.aws/credentials",
            ], hint: "set both variables, or AWS_SHARED_CREDENTIALS_FILE and AWS_PROFILE")
    }

    /// One section of a file of `[name]` lines and `key = value` lines; `#` and `;` begin remarks.
    static func parse(_ text: String, profile: String) -> S3Credentials? {
        var values: [String: String] = [:]
        var isInside = false
        for line in text.split(whereSeparator: \.isNewline) {
            let line = trimmed(line)
            if line.isEmpty || line.first == "#" || line.first == ";" { continue }
            if line.first == "[" {
                isInside = line.last == "]" && trimmed(line.dropFirst().dropLast()) == profile
                continue
            }
            guard isInside, let equals = line.firstIndex(of: "=") else { continue }
            let name = trimmed(line[..<equals]).lowercased()
            values[name] = String(trimmed(line[line.index(after: equals)...]))
        }
        guard let id = values["aws_access_key_id"], let secret = values["aws_secret_access_key"],
            !id.isEmpty, !secret.isEmpty
        else { return nil }
        return S3Credentials(
            accessKeyID: id, secretAccessKey: Secret(secret),
            sessionToken: values["aws_session_token"].map { Secret($0) })
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}
