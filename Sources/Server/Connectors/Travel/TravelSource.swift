// Simulated sources of the travel platform. Each is a seeded generator: the same seed gives the same
// journeys, so that a run can be repeated. They know nothing of how their events travel.

import Base

/// One event of a simulated source.
package struct SimulatedEvent: Sendable {
    /// The record key, nil = none.
    package var key: String?
    package var payload: JSONValue

    package init(key: String?, payload: JSONValue) {
        self.key = key
        self.payload = payload
    }
}

/// A source of simulated events.
package protocol TravelSource: Sendable {
    /// Short, for the terminal.
    var name: String { get }
    var topic: String { get }
    /// Events a minute at rate 1, as the platform's owners measured them.
    var perMinute: ClosedRange<Int> { get }
    /// The next event, as it happens at `now`.
    mutating func next(now: Timestamp) -> SimulatedEvent
}

/// What the travel company knows: places, pages, people.
package enum TravelWorld {
    package static let cities = [
        "Ha Noi", "Ho Chi Minh City", "Da Nang", "Hue", "Nha Trang", "Phu Quoc", "Hoi An", "Sapa",
    ]
    package static let pages = [
        "home", "search_results", "hotel_list", "booking_detail", "cart", "checkout", "profile",
        "reviews",
    ]
    package static let elements = [
        "search_button", "add_to_cart_button", "hero_cta", "nav_menu", "filter_price",
        "hotel_card", "checkout_button", "review_stars",
    ]

    /// A user id; a few people do most of it, as in life.
    package static func user(_ random: inout Random) -> String {
        let spread = random.below(4) == 0 ? 5000 : 200
        return "user_\(random.below(spread) + 1)"
    }

    /// A price of 20.00 to 999.99 as text.
    package static func price(_ random: inout Random) -> String {
        let cents = random.within(2000...99_999)
        return "\(cents / 100)." + (cents % 100 < 10 ? "0" : "") + "\(cents % 100)"
    }
}

extension Random {
    /// One of `choices`, which must not be empty.
    package mutating func pick<T>(_ choices: [T]) -> T { choices[below(choices.count)] }

    package mutating func id() -> String { uuid().description }
}
