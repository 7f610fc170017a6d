import Base

/// Where people click: 60 events a minute with page, element and coordinates.
package struct Clickstream: TravelSource {
    package let name = "clickstream"
    package let topic = "topic_clickstream"
    package let perMinute = 55...65
    private var random: Random
    private var visits: [Visit] = []

    private struct Visit {
        var user: String
        var session: String
        var device: String
        var left: Int
    }

    package init(random: Random) { self.random = random }

    package mutating func next(now: Timestamp) -> SimulatedEvent {
        while visits.count < 6 {
            visits.append(
                Visit(
                    user: TravelWorld.user(&random), session: "sess_" + random.id().prefix(12),
                    device: random.pick(["mobile", "mobile", "desktop", "tablet"]),
                    // A visit of one click has bounced.
                    left: random.chance(1, in: 4) ? 1 : random.within(2...12)))
        }
        let index = random.below(visits.count)
        let visit = visits[index]
        visits[index].left -= 1
        if visits[index].left == 0 { visits.remove(at: index) }
        let width = visit.device == "mobile" ? 420 : visit.device == "tablet" ? 1024 : 1920
        return SimulatedEvent(
            key: visit.user,
            payload: [
                "click_id": .string(random.id()), "user_id": .string(visit.user),
                "session_id": .string(visit.session),
                "page_url": .string("https://travel-booking.com/" + random.pick(TravelWorld.pages)),
                "element_id": .string(random.pick(TravelWorld.elements)),
                "x_coordinate": .int(random.below(width)), "y_coordinate": .int(random.below(2400)),
                "timestamp": .string(now.isoText), "device_type": .string(visit.device),
            ])
    }
}

/// Lines of the platform's services, errors with a stack trace.
package struct ServiceLogs: TravelSource {
    package let name = "service logs"
    package let topic = "topic_app_logs"
    package let perMinute = 50...70
    private var random: Random

    package init(random: Random) { self.random = random }

    private static let services = ["gateway", "search", "booking", "payment", "recommendation"]

    package mutating func next(now: Timestamp) -> SimulatedEvent {
        let service = random.pick(Self.services)
        let draw = random.below(1000)
        let level =
            draw < 150
            ? "DEBUG"
            : draw < 900
                ? "INFO"
                : draw < 970
                    ? "WARN"
                    : draw < 998
                        ? "ERROR"
                        : "FATAL"
        let isBad = level == "ERROR" || level == "FATAL"
        // Most requests take some milliseconds, a few take long.
        let base = random.within(2...60)
        let duration = isBad || random.chance(1, in: 50) ? base * random.within(10...40) : base
        return SimulatedEvent(
            key: service,
            payload: [
                "log_id": .string(random.id()), "service": .string(service),
                "level": .string(level),
                "message": .string(
                    isBad ? "request failed after \(duration) ms" : "request done in \(duration) ms"
                ),
                "stack_trace": isBad
                    ? .string(
                        "TimeoutError: upstream did not answer\n  at \(service).handle(request)")
                    : .null,
                "duration_ms": .number("\(duration).\(random.below(10))"),
                "timestamp": .string(now.isoText),
            ])
    }
}

/// Row changes of the booking database in the form of a change-data-capture connector: new users,
/// bookings and payments, status changes, and a rare delete.
package struct DatabaseChanges: TravelSource {
    package let name = "database changes"
    package let topic = "topic_cdc_changes"
    package let perMinute = 20...30
    private var random: Random
    private var bookings: [Booking] = []
    private var users = 0
    private var payments = 0

    private struct Booking {
        var id: String
        var user: String
        var status: String
        var price: String
    }

    package init(random: Random) { self.random = random }

    package mutating func next(now: Timestamp) -> SimulatedEvent {
        switch random.below(25) {
        case 0..<8: return insertUser(now)
        case 8..<12: return insertBooking(now)
        case 12..<14: return insertPayment(now)
        case 14 where bookings.count > 20: return deleteBooking(now)
        default: return updateBooking(now)
        }
    }

    private mutating func insertUser(_ now: Timestamp) -> SimulatedEvent {
        users += 1
        let id = "user_\(10_000 + users)"
        return change(
            "users", "INSERT", id: id, before: .null,
            after: [
                "id": .string(id), "email": .string("\(id)@example.com"),
                "city": .string(random.pick(TravelWorld.cities)),
                "created_at": .string(now.isoText),
            ], now)
    }

    private mutating func insertBooking(_ now: Timestamp) -> SimulatedEvent {
        let booking = Booking(
            id: "book_" + random.id().prefix(8), user: TravelWorld.user(&random),
            status: "pending", price: TravelWorld.price(&random))
        bookings.append(booking)
        return change(
            "bookings", "INSERT", id: booking.id, before: .null, after: image(of: booking), now)
    }

    private mutating func updateBooking(_ now: Timestamp) -> SimulatedEvent {
        guard !bookings.isEmpty else { return insertBooking(now) }
        let index = random.below(bookings.count)
        let before = image(of: bookings[index])
        bookings[index].status =
            bookings[index].status == "pending"
            ? random.pick(["confirmed", "confirmed", "confirmed", "cancelled"]) : "completed"
        let after = bookings[index]
        if after.status != "confirmed", bookings.count > 40 { bookings.remove(at: index) }
        return change(
            "bookings", "UPDATE", id: after.id, before: before, after: image(of: after), now)
    }

    private mutating func insertPayment(_ now: Timestamp) -> SimulatedEvent {
        payments += 1
        let id = "pay_\(payments)"
        let booking = bookings.isEmpty ? nil : random.pick(bookings)
        return change(
            "payments", "INSERT", id: id, before: .null,
            after: [
                "id": .string(id), "booking_id": booking.map { .string($0.id) } ?? .null,
                "amount": .string(booking?.price ?? TravelWorld.price(&random)),
                "status": "captured", "created_at": .string(now.isoText),
            ], now)
    }

    private mutating func deleteBooking(_ now: Timestamp) -> SimulatedEvent {
        let gone = bookings.remove(at: random.below(bookings.count))
        return change("bookings", "DELETE", id: gone.id, before: image(of: gone), after: .null, now)
    }

    private func image(of booking: Booking) -> JSONValue {
        [
            "id": .string(booking.id), "user_id": .string(booking.user),
            "status": .string(booking.status), "price": .string(booking.price),
        ]
    }

    private mutating func change(
        _ table: String, _ operation: String, id: String, before: JSONValue, after: JSONValue,
        _ now: Timestamp
    ) -> SimulatedEvent {
        SimulatedEvent(
            key: "public.\(table):\(id)",
            payload: [
                "change_id": .string(random.id()), "table_name": .string("public.\(table)"),
                "operation": .string(operation), "primary_key": ["id": .string(id)],
                "before_values": before, "after_values": after,
                "timestamp": .string(now.isoText), "source_database": "PostgreSQL",
                "debezium_metadata": [
                    "source": [
                        "connector": "postgresql", "db": "travel_booking", "schema": "public",
                    ],
                    "transaction_ts": .int(now.milliseconds),
                ],
            ])
    }
}

/// Weather, markets, social media and travel trends, as polled from outside.
package struct ExternalData: TravelSource {
    package let name = "external data"
    package let topic = "topic_external_data"
    package let perMinute = 20...40
    private var random: Random

    package init(random: Random) { self.random = random }

    package mutating func next(now: Timestamp) -> SimulatedEvent {
        switch random.below(4) {
        case 0: return weather(now)
        case 1: return market(now)
        case 2: return social(now)
        default: return trend(now)
        }
    }

    private mutating func weather(_ now: Timestamp) -> SimulatedEvent {
        let city = random.pick(TravelWorld.cities)
        let slug = String(city.lowercased().map { $0 == " " ? "_" : $0 })
        return observation(
            "weather_\(slug)_\(now.milliseconds)", "weather_api",
            [
                "city": .string(city),
                "temperature": .number("\(random.within(18...38)).\(random.below(10))"),
                "humidity": .int(random.within(40...98)),
                "wind_speed": .number("\(random.below(15)).\(random.below(10))"),
                "condition": .string(random.pick(["sunny", "cloudy", "rain", "storm"])),
                "pressure_mb": .int(random.within(995...1025)),
            ], now)
    }

    private mutating func market(_ now: Timestamp) -> SimulatedEvent {
        let symbol = random.pick(["AAPL", "GOOGL", "AMZN", "MSFT", "TSLA"])
        let open = random.within(100...400)
        return observation(
            "market_\(symbol)_\(now.milliseconds)", "market_api",
            [
                "symbol": .string(symbol), "open": .int(open), "high": .int(open + random.below(9)),
                "low": .int(open - random.below(9)), "close": .int(open + random.within(-8...8)),
                "volume": .int(random.within(10_000...9_000_000)),
            ], now)
    }

    private mutating func social(_ now: Timestamp) -> SimulatedEvent {
        let network = random.pick(["Twitter", "Instagram", "TikTok", "Facebook"])
        return observation(
            "social_\(network.lowercased())_\(now.milliseconds)_\(random.below(1000))",
            "social_api",
            [
                "network": .string(network), "engagement": .int(random.below(10_000)),
                "reach": .int(random.below(500_000)),
                "sentiment": .number("0.\(random.within(10...99))"),
            ], now)
    }

    private mutating func trend(_ now: Timestamp) -> SimulatedEvent {
        let city = random.pick(TravelWorld.cities)
        return observation(
            "trend_\(now.milliseconds)_\(random.below(1000))", "travel_trends",
            [
                "category": .string(random.pick(["beach", "culture", "food", "trekking"])),
                "region": .string(city), "searches": .int(random.below(50_000)),
                "change_pct": .int(random.within(-30...60)),
            ], now)
    }

    private func observation(
        _ id: String, _ source: String, _ data: JSONValue, _ now: Timestamp
    ) -> SimulatedEvent {
        SimulatedEvent(
            key: id,
            payload: [
                "external_data_id": .string(id), "source": .string(source), "source_type": "api",
                "timestamp": .string(now.isoText), "data": data,
            ])
    }
}
