import Base
import SQL

/// Where an object's rows come from and where they go.
package struct Lineage: Hashable, Sendable {
    /// One step: `target` reads `source`.
    package struct Edge: Hashable, Sendable {
        package var source: QualifiedName
        package var target: QualifiedName

        package init(source: QualifiedName, target: QualifiedName) {
            self.source = source
            self.target = target
        }
    }

    package var name: QualifiedName
    /// Everything it is computed from, nearest first.
    package var upstream: [QualifiedName]
    /// Everything that is computed from it, nearest first.
    package var downstream: [QualifiedName]
    /// The steps between all of them, ordered by source and target.
    package var edges: [Edge]
}

extension CatalogImage {
    /// The lineage of an object.
    package func lineage(of name: QualifiedName) throws(Problem) -> Lineage {
        let object = try require(name)
        let upstream = upstreamNames(of: object.sources)
        let downstream = downstream(of: object.name)
        let members = Set(upstream + downstream + [object.name])
        let edges = lineageEdges.filter {
            members.contains($0.source) && members.contains($0.target)
        }
        return Lineage(
            name: object.name, upstream: upstream, downstream: downstream, edges: edges)
    }

    /// All steps of the catalog, ordered by target and source.
    package var lineageEdges: [Lineage.Edge] {
        var edges: [Lineage.Edge] = []
        for object in relations {
            var seen: [QualifiedName] = []
            for source in object.sources.map(Self.full).sorted() where !seen.contains(source) {
                seen.append(source)
                edges.append(Lineage.Edge(source: source, target: object.name))
            }
        }
        return edges
    }

    /// `names` and everything behind them, level by level.
    func upstreamNames(of names: [QualifiedName]) -> [QualifiedName] {
        walk(from: names.map(Self.full)) { name in
            (self.object(name)?.sources ?? []).map(Self.full)
        }
    }

    /// Who reads `name` directly.
    func directDownstream(of name: QualifiedName) -> [QualifiedName] {
        relations.filter { $0.sources.contains { Self.full($0) == name } }.map(\.name)
    }

    /// Everything that is computed from `name`, level by level.
    func downstream(of name: QualifiedName) -> [QualifiedName] {
        walk(from: directDownstream(of: name)) { directDownstream(of: $0) }
            .filter { $0 != name }
    }

    private func walk(
        from first: [QualifiedName], _ next: (QualifiedName) -> [QualifiedName]
    ) -> [QualifiedName] {
        var found: [QualifiedName] = []
        var seen: Set<QualifiedName> = []
        var level = first
        while !level.isEmpty {
            var following: [QualifiedName] = []
            for name in level where seen.insert(name).inserted {
                found.append(name)
                following += next(name)
            }
            level = following
        }
        return found
    }
}
