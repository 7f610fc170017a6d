// Which queries of a WITH are computed once, and which at each place that reads them.

/// The queries of one WITH. What is read at several places is computed once, as in PostgreSQL; what
/// is read at one place becomes a part of that place, where conditions can reach it.
struct CommonTableSharing {
    /// The numbers of those that may become part of the only place that reads them.
    private var unsettled: Set<Int> = []

    /// The plan that stands at each place that reads `table`, whose rows are those of `plan`.
    mutating func plan(
        of table: CommonTable, _ plan: LogicalPlan, _ binder: inout Binder
    ) -> LogicalPlan {
        switch plan {
        case .shared, .project(.shared, _): return plan
        default: break
        }
        if table.isMaterialized == true { return binder.share(plan) }
        // Reading a table again costs less than keeping its rows: conditions can skip files then.
        guard plan.isVolatile || table.isMaterialized == nil && !plan.isSimpleRead else {
            return plan
        }
        let shared = binder.share(plan)
        unsettled.insert(binder.sharedCount)
        return shared
    }

    /// `plan`, which reads the queries, without sharing what is read at one place.
    func settled(_ plan: LogicalPlan) -> LogicalPlan {
        guard !unsettled.isEmpty else { return plan }
        var places: [Int: Int] = [:]
        plan.countShared(unsettled, &places)
        let once = unsettled.filter { places[$0] == 1 }
        return once.isEmpty ? plan : plan.withoutSharing(once)
    }
}

extension LogicalPlan {
    /// Whether the plan may give other rows each time.
    var isVolatile: Bool {
        expressions.contains(where: \.isVolatile) || inputs.contains(where: \.isVolatile)
    }

    /// Rows of one table, chosen and computed one by one. Every scan of a table in a statement reads
    /// the same version; a topic grows between two scans.
    fileprivate var isSimpleRead: Bool {
        switch self {
        case .scan(let node): node.kind == .table
        case .filter(let input, _), .project(let input, _): input.isSimpleRead
        default: false
        }
    }

    /// Counts the places that read each of `numbers`. What is shared reads its own inputs once.
    fileprivate func countShared(_ numbers: Set<Int>, _ places: inout [Int: Int]) {
        var known: Set<Int> = []
        func visit(_ plan: LogicalPlan) {
            if case .shared(let number, _) = plan {
                if numbers.contains(number) { places[number, default: 0] += 1 }
                guard known.insert(number).inserted else { return }
            }
            for input in plan.inputs { visit(input) }
        }
        visit(self)
    }

    fileprivate func withoutSharing(_ numbers: Set<Int>) -> LogicalPlan {
        if case .shared(let number, let input) = self, numbers.contains(number) {
            return input.withoutSharing(numbers)
        }
        return mapInputs { $0.withoutSharing(numbers) }
    }
}
