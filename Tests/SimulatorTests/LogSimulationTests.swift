import Base
import Log
import Simulator
import Testing

@Suite struct LogSimulationTests {
    @Test func `no seed loses, doubles, reorders or shows what it must not`() {
        var failures: [String] = []
        var total = SimulationResult(seed: 0)
        for seed in UInt64(0)..<150 {
            let result = simulateLog(seed: seed, options: SimulationOptions())
            total.cleanings += result.cleanings
            total.powerLosses += result.powerLosses
            total.failedSyncs += result.failedSyncs
            total.damagedPartitions += result.damagedPartitions
            if let first = result.anomalies.first { failures.append("seed \(seed): \(first)") }
        }
        #expect(failures.isEmpty, "\(failures.joined(separator: "\n"))")
        // Seeds that meet no trouble prove nothing.
        #expect(total.cleanings > 0 && total.powerLosses > 40)
        #expect(total.failedSyncs > 0 && total.damagedPartitions > 0)
    }

    @Test func `the report counts seeds and names the ones that failed`() {
        var lines: [String] = []
        var options = SimulationOptions()
        options.planted = .acknowledgeBeforeSync
        let failed = runSimulations(seeds: 0..<6, kinds: [.log, .node], options: options) {
            lines.append($0)
        }
        #expect(failed > 0 && lines.count > failed)
        #expect(lines.last?.contains("6 seeds, \(failed) with anomalies") == true)
    }

    @Test(arguments: PlantedBug.allCases.filter { $0 != .none })
    func `every planted bug is caught`(bug: PlantedBug) {
        var options = SimulationOptions()
        options.planted = bug
        let caught = (0..<300).first { seed in
            !simulateLog(seed: UInt64(seed), options: options).anomalies.isEmpty
        }
        #expect(caught != nil, "\(bug.rawValue) survived 300 seeds")
    }

    @Test func `a seed always gives the same trace and its neighbour another`() {
        let options = SimulationOptions()
        let first = simulateLog(seed: 42, options: options)
        #expect(first == simulateLog(seed: 42, options: options))
        let hashes = (0..<40).map { simulateLog(seed: $0, options: options).traceHash }
        #expect(Set(hashes).count == hashes.count)
    }
}
