import Base
import Log
import Simulator
import Testing

@Suite struct LogSimulationTests {
    @Test func `no seed loses, doubles, reorders or shows what it must not`() {
        var lines: [String] = []
        let failed = runSimulations(seeds: 0..<200, planted: .none) { lines.append($0) }
        #expect(failed == 0, "\(lines.joined(separator: "\n"))")
        print(lines.last ?? "")
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
