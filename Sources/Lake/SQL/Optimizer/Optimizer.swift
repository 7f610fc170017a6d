/// Rewrites plans into equal ones that do less. Each rule is in a file of its own.
package enum Optimizer {
    /// `statistics` says how large relations are; without it joins stay in the order in which they
    /// are written.
    package static func optimized(
        _ plan: LogicalPlan, statistics: (any SchemaProvider)? = nil
    ) -> LogicalPlan {
        var plan = PredicatePushdown.apply(CommonConditions.apply(plan))
        if let statistics {
            let cardinality = Cardinality(statistics)
            plan = JoinOrder.apply(SemiJoinPushdown.apply(plan, cardinality), cardinality)
        }
        plan = FirstRows.apply(PercentileSharing.apply(plan))
        return ProjectionMerging.apply(ProjectionPruning.apply(plan))
    }
}
