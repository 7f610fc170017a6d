import Base

struct CleanerRun: Sendable {
    var number: UInt32
}

extension LogStore {
    mutating func stepCleaner(_ now: Now, budgetBytes: Int) {
        schedule.nextCleaning = now.monotonic + configuration.cleanerCheckInterval
    }
    mutating func abandonCleaning() { cleanerRun = nil }
}
