/// What stands behind `OVER`.
package enum WindowReference: Hashable, Sendable {
    /// A window of the WINDOW clause.
    case named(Identifier)
    case specified(WindowSpecification)
}

/// `([name] [PARTITION BY …] [ORDER BY …] [frame])`
package struct WindowSpecification: Hashable, Sendable {
    /// The window that this one adds to.
    package var base: Identifier?
    package var partitionBy: [Expression] = []
    package var orderBy: [OrderItem] = []
    package var frame: WindowFrame?
    package var position: Int
}

/// `ROWS|RANGE|GROUPS start | BETWEEN start AND end [EXCLUDE …]`
package struct WindowFrame: Hashable, Sendable {
    package indirect enum Bound: Hashable, Sendable {
        case unboundedPreceding
        case preceding(Expression)
        case currentRow
        case following(Expression)
        case unboundedFollowing
    }

    package var unit: FrameUnit
    package var start: Bound
    package var end: Bound
    package var exclusion: FrameExclusion
    package var position: Int
}

/// What the offsets of a frame count.
package enum FrameUnit: String, Hashable, Sendable {
    case rows
    /// Distance of the sort key.
    case range
    /// Groups of rows with equal sort keys.
    case groups
}

/// Rows around the current one that its frame leaves out.
package enum FrameExclusion: String, Hashable, Sendable {
    case none
    case currentRow
    /// The rows with equal sort keys, the current one among them.
    case group
    /// The rows with equal sort keys apart from the current one.
    case ties
}
