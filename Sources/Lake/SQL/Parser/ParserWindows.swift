import Base

extension Parser {
    /// What follows OVER.
    mutating func windowReference() throws(Problem) -> WindowReference {
        if isNext("(") { return .specified(try windowSpecification()) }
        return .named(try identifier("a window name or \"(\""))
    }

    /// `WINDOW a AS (…), b AS (…)`, its first word consumed.
    mutating func namedWindows() throws(Problem) -> [NamedWindow] {
        var windows: [NamedWindow] = []
        repeat {
            let name = try identifier("a window name")
            try expect(.as)
            windows.append(NamedWindow(name: name, window: try windowSpecification()))
        } while accept(",")
        return windows
    }

    private mutating func windowSpecification() throws(Problem) -> WindowSpecification {
        var window = WindowSpecification(position: token.position)
        try expect("(")
        let startsClause =
            isNext(")") || isNext(.partition) || isNext(.order) || frameUnit() != nil
        if !startsClause { window.base = try identifier("a window name") }
        if accept(.partition) {
            try expect(.by)
            repeat { window.partitionBy.append(try expression()) } while accept(",")
        }
        if accept(.order, .by) { window.orderBy = try orderItems() }
        if let unit = frameUnit() { window.frame = try frame(unit) }
        try expect(")")
        return window
    }

    private func frameUnit() -> FrameUnit? {
        if isNext(.rows) { return .rows }
        if isNext(.range) { return .range }
        if isNextWord("groups") { return .groups }
        return nil
    }

    private mutating func frame(_ unit: FrameUnit) throws(Problem) -> WindowFrame {
        var frame = WindowFrame(
            unit: unit, start: .currentRow, end: .currentRow, exclusion: .none,
            position: token.position)
        advance()
        if accept(.between) {
            frame.start = try frameBound()
            try expect(.and)
            frame.end = try frameBound()
        } else {
            frame.start = try frameBound()
        }
        try check(frame)
        if acceptWord("exclude") { frame.exclusion = try frameExclusion() }
        return frame
    }

    /// The grammar of PostgreSQL does this, too: of several errors in a statement it is the first.
    private func check(_ frame: WindowFrame) throws(Problem) {
        func refuse(_ message: String) -> Problem {
            Problem("42P20", message, position: frame.position)
        }
        switch (frame.start, frame.end) {
        case (.unboundedFollowing, _):
            throw refuse("frame start cannot be UNBOUNDED FOLLOWING")
        case (_, .unboundedPreceding):
            throw refuse("frame end cannot be UNBOUNDED PRECEDING")
        case (.currentRow, .preceding):
            throw refuse("frame starting from current row cannot have preceding rows")
        case (.following, .preceding), (.following, .currentRow):
            throw refuse("frame starting from following row cannot have preceding rows")
        default: break
        }
    }

    private mutating func frameBound() throws(Problem) -> WindowFrame.Bound {
        if acceptWord("unbounded") {
            if accept(.preceding) { return .unboundedPreceding }
            if accept(.following) { return .unboundedFollowing }
            throw unexpected(expected: "PRECEDING or FOLLOWING")
        }
        if isNext(.current), isNext(.row, ahead: 1) {
            index += 2
            return .currentRow
        }
        let offset = try expression()
        if accept(.preceding) { return .preceding(offset) }
        if accept(.following) { return .following(offset) }
        throw unexpected(expected: "PRECEDING or FOLLOWING")
    }

    private mutating func frameExclusion() throws(Problem) -> FrameExclusion {
        if isNext(.current), isNext(.row, ahead: 1) {
            index += 2
            return .currentRow
        }
        if accept(.group) { return .group }
        if accept(.ties) { return .ties }
        if accept(.no) {
            guard acceptWord("others") else { throw unexpected(expected: "OTHERS") }
            return .none
        }
        throw unexpected(expected: "CURRENT ROW, GROUP, TIES or NO OTHERS")
    }
}
