import Base
import Log
import Simulator
import Testing

@Suite struct NodeSimulationTests {
    @Test func `what the node answers stays true through crashes`() {
        var failures: [String] = []
        var acknowledged = 0
        for seed in UInt64(0)..<60 {
            let result = simulateOneNode(seed: seed, options: SimulationOptions())
            acknowledged += result.acknowledged
            if let first = result.anomalies.first { failures.append("seed \(seed): \(first)") }
        }
        #expect(failures.isEmpty, "\(failures.joined(separator: "\n"))")
        #expect(acknowledged > 500)
    }

    @Test func `a seed of the node always gives the same trace and its neighbour another`() {
        let options = SimulationOptions()
        #expect(
            simulateOneNode(seed: 3, options: options) == simulateOneNode(seed: 3, options: options)
        )
        let hashes = (0..<10).map { simulateOneNode(seed: $0, options: options).traceHash }
        #expect(Set(hashes).count == hashes.count)
    }

    @Test(arguments: PlantedBug.allCases.filter { $0 != .none })
    func `every planted bug shows in what the node answers`(bug: PlantedBug) {
        var options = SimulationOptions()
        options.planted = bug
        let caught = (0..<300).first { seed in
            !simulateOneNode(seed: UInt64(seed), options: options).anomalies.isEmpty
        }
        #expect(caught != nil, "\(bug.rawValue) survived 300 seeds")
    }
}
