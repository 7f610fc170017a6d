/// Names one request to make the journal durable up to a position. Tickets rise.
package struct SyncTicket: Hashable, Comparable, Sendable {
    package var value: UInt64

    package init(_ value: UInt64) { self.value = value }

    package static func < (left: SyncTicket, right: SyncTicket) -> Bool { left.value < right.value }
}
