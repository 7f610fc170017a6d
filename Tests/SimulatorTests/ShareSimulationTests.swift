import Simulator
import Testing

@Suite struct ShareSimulationTests {
    @Test func `share groups keep their promises through crashes`() {
        var failures: [String] = []
        var acknowledged = 0
        var crashes = 0
        for seed in UInt64(0)..<60 {
            let result = simulateShares(seed: seed, options: SimulationOptions())
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
            simulateShares(seed: 5, options: options) == simulateShares(seed: 5, options: options))
        let hashes = (0..<10).map { simulateShares(seed: $0, options: options).traceHash }
        #expect(Set(hashes).count == hashes.count)
    }
}
