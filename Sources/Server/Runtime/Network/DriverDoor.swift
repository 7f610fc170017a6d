import TLS

/// One listener of the driver: its sockets, and what protects what comes through them.
package struct DriverDoor: Sendable {
    package var listener: Listener
    /// nil = no encryption.
    package var tls: TLSContext?
    /// What comes through is held short until the node says that it knows the client.
    package var mustSignOn = false
    /// Whether a certificate says who the client is, and how.
    package var principals: PrincipalMapping?
    /// Other nodes come through it; its certificates stay.
    package var isForNodes = false

    package init(
        _ listener: Listener, tls: TLSContext? = nil, mustSignOn: Bool = false,
        principals: PrincipalMapping? = nil
    ) {
        self.listener = listener
        self.tls = tls
        self.mustSignOn = mustSignOn
        self.principals = principals
    }
}
