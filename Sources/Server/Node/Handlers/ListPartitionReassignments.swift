import WireProtocol

extension BrokerNode {
    /// Nothing is ever on its way from this broker to another: see `alterPartitionReassignments`.
    mutating func listPartitionReassignments(
        _ request: ListPartitionReassignmentsRequest, _ context: RequestContext
    ) {
        answer(context, ListPartitionReassignmentsResponse())
    }
}
