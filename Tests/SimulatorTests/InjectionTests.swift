import Log
import Simulator
import Testing

@Suite struct InjectionTests {
    @Test func `a fault at any storage call of a scripted run breaks no promise`() {
        var plan = InjectionPlan()
        // Every call is tried by the release build: see Tests/Interop/test_simulator.py.
        plan.stride = 37
        var lines: [String] = []
        let failed = injectEverywhere(plan) { lines.append($0) }
        #expect(failed == 0, "\(lines.joined(separator: "\n"))")
        let scripts = InjectionPlan.scriptNames
        #expect(lines.count == scripts.count)
        for (line, script) in zip(lines, scripts) { #expect(line.hasPrefix(script + ": ")) }
    }

    @Test(arguments: [
        (PlantedBug.acknowledgeBeforeSync, "appends"), (.ignoreSyncError, "compaction"),
        (.skipChecksum, "recovery"), (.forgetDirectorySync, "topics"),
    ])
    func `a planted bug is caught by a single fault`(bug: PlantedBug, script: String) {
        var plan = InjectionPlan()
        plan.planted = bug
        plan.script = script
        plan.stride = 7
        var lines: [String] = []
        #expect(injectEverywhere(plan) { lines.append($0) } > 0)
        #expect(lines.contains { $0.contains("weir sim inject --script \(script)") })
    }
}
