import Simulator
import Testing

@Suite struct GroupSimulationTests {
    @Test func `groups of both protocols keep their promises through crashes`() {
        var failures: [String] = []
        var acknowledged = 0
        var crashes = 0
        for seed in UInt64(0)..<40 {
            let result = simulateGroups(seed: seed, options: SimulationOptions())
            acknowledged += result.acknowledged
            crashes += result.crashes
            if let first = result.anomalies.first { failures.append("seed \(seed): \(first)") }
        }
        #expect(failures.isEmpty, "\(failures.joined(separator: "\n"))")
        #expect(acknowledged > 1000)
        #expect(crashes > 50)
    }

    @Test func `a seed always gives the same trace and its neighbour another`() {
        let options = SimulationOptions()
        #expect(
            simulateGroups(seed: 5, options: options) == simulateGroups(seed: 5, options: options))
        let hashes = (0..<10).map { simulateGroups(seed: $0, options: options).traceHash }
        #expect(Set(hashes).count == hashes.count)
    }
}
