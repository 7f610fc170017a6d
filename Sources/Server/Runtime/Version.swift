/// What this program calls itself, and the release it belongs to.
package enum Version {
    package static let number = "0.1.0-dev"
    package static let text = "Weir \(number)"
}
