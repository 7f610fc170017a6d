/// Who a request comes from, as access rules name it: `User:` and a name.
package struct Principal: Hashable, Sendable {
    /// `User:alice`
    package let text: String

    /// Somebody who did not have to say who he is.
    package static let anonymous = Principal(user: "ANONYMOUS")

    package init(user name: String) { text = Self.prefix + name }

    /// The name behind `User:`.
    package var name: String { String(text.dropFirst(Self.prefix.count)) }

    private static let prefix = "User:"

    /// Reads `User:name`; nil when it is of another form.
    package init?(parsing text: String) {
        guard text.hasPrefix(Self.prefix), text.utf8.count > Self.prefix.utf8.count else {
            return nil
        }
        self.text = text
    }
}
