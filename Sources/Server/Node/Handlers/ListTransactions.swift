import Base
import Coordinator
import WireProtocol

extension BrokerNode {
    /// By transactional id.
    mutating func listTransactions(
        _ request: ListTransactionsRequest, _ context: RequestContext
    ) {
        var response = ListTransactionsResponse()
        var phases: [TransactionState.Phase] = []
        for name in request.stateFilters {
            if let phase = TransactionState.Phase.allCases.first(where: {
                $0.publishedName == name
            }) {
                phases.append(phase)
            } else if !Self.passingStates.contains(name) {
                response.unknownStateFilters.append(name)
            }
        }
        var pattern: RegularExpression?
        if let text = request.transactionalIdPattern, !text.isEmpty {
            do throws(RegularExpressionFailure) {
                pattern = try RegularExpression(text)
            } catch {
                return answer(
                    context, ListTransactionsResponse(errorCode: .invalidRegularExpression))
            }
        }
        let producers = Set(request.producerIdFilters)
        let wall = now.timestamp.milliseconds
        let found = transactions.list { state in
            if !request.stateFilters.isEmpty, !phases.contains(state.phase) { return false }
            if !producers.isEmpty, !producers.contains(state.producerID) { return false }
            let age = wall &- state.startTimestamp
            return request.durationFilter < 0 || age > request.durationFilter
        }
        let visible = found.filter { found in
            pattern?.matches(found.transactionalID) ?? true
                && authorize(context, .describe, .transactionalId, found.transactionalID)
        }
        response.transactionStates = visible.map { id, state in
            .init(
                transactionalId: id, producerId: state.producerID,
                transactionState: state.phase.publishedName)
        }
        answer(context, response)
    }

    /// States with published names that no id of this broker stays in.
    private static let passingStates = ["Dead", "PrepareEpochFence"]
}
