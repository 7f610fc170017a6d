import Base
import Log
import Testing

@Suite struct ScrubberTests {
    private func filled() throws -> Fixture {
        var configuration = smallConfiguration()
        configuration.tailCacheBytes = 0
        configuration.scrubInterval = .seconds(10)
        configuration.scrubStepBytes = 500
        configuration.scrubStepInterval = .milliseconds(1)
        var fixture = try Fixture(configuration: configuration)
        var settings = PartitionSettings()
        settings.segmentBytes = 900
        try fixture.create(settings: settings)
        try fixture.create(users, settings: settings)
        for number in 0..<40 {
            try fixture.append(try batch("value \(number)"))
            try fixture.append(try batch("user \(number)"), to: users)
        }
        fixture.sync()
        return fixture
    }

    private func work(_ fixture: inout Fixture, steps: Int = 60) {
        for step in 0..<steps {
            _ = fixture.store.maintain(now: at(Int64(11 + step)))
            fixture.sync()
            fixture.store.checkInvariants()
        }
    }

    @Test func `every closed segment is checked again and again`() throws {
        var fixture = try filled()
        work(&fixture)
        let figures = fixture.store.statistics
        #expect(figures.scrubRounds >= 1)
        #expect(figures.scrubbedBytes > 4000)
        #expect(figures.scrubDamages == 0 && figures.damagedPartitions == 0)
    }

    @Test func `damage is found before a reader meets it`() throws {
        var fixture = try filled()
        let file = try fixture.disk.open("orders-0/00000000000000000000.log")
        let old = try file.read(at: 300, count: 1)
        try file.write(Bytes([old[0] ^ 16]), at: 300)
        work(&fixture)
        let damage = try #require(fixture.store.damage(of: orders))
        #expect(damage.file.hasSuffix("00000000000000000000.log") && damage.position <= 300)
        #expect(fixture.store.damage(of: users) == nil)
        #expect(fixture.store.statistics.scrubDamages == 1)
        #expect(throws: ReadFailure.self) {
            _ = try fixture.store.read(orders, from: 0, maxBytes: 1)
        }
    }

    @Test func `a file that is gone is damage`() throws {
        var fixture = try filled()
        try fixture.disk.remove("users-3/00000000000000000000.log")
        work(&fixture)
        #expect(fixture.store.damage(of: users)?.position == 0)
        #expect(fixture.store.damage(of: orders) == nil)
    }
}
