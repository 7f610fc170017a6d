import Base
import Log
import Simulator
import Testing

@Suite struct TransactionSimulationTests {
    @Test func `transactions are whole or not at all through crashes`() {
        var failures: [String] = []
        var committed = 0
        var cleanings = 0
        for seed in UInt64(0)..<25 {
            let result = simulateTransactions(seed: seed, options: SimulationOptions())
            committed += result.acknowledged
            cleanings += result.cleanings
            if let first = result.anomalies.first { failures.append("seed \(seed): \(first)") }
        }
        #expect(failures.isEmpty, "\(failures.joined(separator: "\n"))")
        #expect(committed > 200)
        #expect(cleanings > 8)
    }

    @Test func `a seed of transactions always gives the same trace`() {
        let options = SimulationOptions()
        #expect(
            simulateTransactions(seed: 3, options: options)
                == simulateTransactions(seed: 3, options: options))
    }
}
