import Base
import Runtime
import WeirClient

/// The offsets that a place like `end` or `@-15m` means in each of some partitions.
struct Places {
    struct Place {
        var begin: Int64
        var end: Int64
        /// Within `begin ... end`.
        var offset: Int64
    }

    private(set) var offsets: [PartitionAddress: Place] = [:]

    init(_ position: StartPosition, _ addresses: [PartitionAddress], _ admin: Admin)
        throws(Problem)
    {
        try self.init(addresses, admin) { _, place in
            switch position {
            case .start: place.begin
            case .offset(let offset): offset
            case .beforeEnd(let count): place.end.subtractingReportingOverflow(count).partialValue
            case .afterStart(let count): place.begin.addingReportingOverflow(count).partialValue
            // Times are looked up below; what is younger than every record means the end.
            case .end, .time: place.end
            }
        }
        guard case .time(let milliseconds) = position, !addresses.isEmpty else { return }
        var queries: [PartitionAddress: Int64] = [:]
        for address in addresses { queries[address] = milliseconds }
        let found = try calling { () throws(ClientFailure) in try admin.listOffsets(queries) }
        for (address, at) in found where at.offset >= 0 { offsets[address]?.offset = at.offset }
    }

    /// `wish` gets begin and end and returns the wanted offset, which is brought into that range.
    init(
        _ addresses: [PartitionAddress], _ admin: Admin,
        wish: (PartitionAddress, Place) -> Int64
    ) throws(Problem) {
        if addresses.isEmpty { return }
        var begin: [PartitionAddress: Int64] = [:]
        var end: [PartitionAddress: Int64] = [:]
        for address in addresses {
            begin[address] = -2
            end[address] = -1
        }
        let begins = try calling { () throws(ClientFailure) in try admin.listOffsets(begin) }
        let ends = try calling { () throws(ClientFailure) in try admin.listOffsets(end) }
        for address in addresses {
            guard let first = begins[address]?.offset, let last = ends[address]?.offset else {
                continue
            }
            var place = Place(begin: first, end: max(first, last), offset: first)
            place.offset = min(max(wish(address, place), place.begin), place.end)
            offsets[address] = place
        }
    }

    subscript(address: PartitionAddress) -> Place? { offsets[address] }
}
