/// Rewrites plans into equal ones that do less. Each rule is in a file of its own.
package enum Optimizer {
    package static func optimized(_ plan: LogicalPlan) -> LogicalPlan {
        ProjectionMerging.apply(ProjectionPruning.apply(PredicatePushdown.apply(plan)))
    }
}
