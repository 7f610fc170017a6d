import Base

/// People in the mobile app or on the web site: several journeys at once, each a walk from opening
/// the app over searching to booking.
package struct AppJourneys: TravelSource {
    package let name: String
    package let topic = "topic_app_events"
    package let perMinute: ClosedRange<Int>
    private let app: String
    private var random: Random
    private var journeys: [Journey] = []
    private let concurrent: ClosedRange<Int>

    private struct Journey {
        var user: String
        var session: String
        var destination: String
        var price: String
        var step = 0
        var booking: String?
    }

    /// 50 to 100 events a minute from 3 to 7 journeys at a time.
    package static func mobile(random: Random) -> AppJourneys {
        AppJourneys(
            name: "mobile app", app: "mobile", perMinute: 50...100, concurrent: 3...7,
            random: random)
    }

    /// 30 to 60 events a minute from 2 to 5 sessions at a time.
    package static func web(random: Random) -> AppJourneys {
        AppJourneys(
            name: "web site", app: "web", perMinute: 30...60, concurrent: 2...5, random: random)
    }

    private init(
        name: String, app: String, perMinute: ClosedRange<Int>, concurrent: ClosedRange<Int>,
        random: Random
    ) {
        self.name = name
        self.app = app
        self.perMinute = perMinute
        self.concurrent = concurrent
        self.random = random
    }

    private static let steps = [
        "app_open", "page_view", "search", "filter_applied", "page_view", "booking_view", "click",
        "click_cta", "booking_created", "payment_completed",
    ]

    package mutating func next(now: Timestamp) -> SimulatedEvent {
        while journeys.count < random.within(concurrent) { journeys.append(newJourney()) }
        let index = random.below(journeys.count)
        var journey = journeys[index]
        let event = advance(&journey, now: now)
        journeys[index] = journey
        // Half of the people leave somewhere on the way; most who come to the end booked.
        if journeys[index].step == Self.steps.count || random.chance(1, in: 14) {
            journeys.remove(at: index)
        }
        return event
    }

    private mutating func newJourney() -> Journey {
        Journey(
            user: TravelWorld.user(&random), session: "sess_" + random.id().prefix(12),
            destination: random.pick(TravelWorld.cities), price: TravelWorld.price(&random))
    }

    private mutating func advance(_ journey: inout Journey, now: Timestamp) -> SimulatedEvent {
        // Web sessions begin with a page, not with an app.
        if journey.step == 0, app == "web" { journey.step = 1 }
        let type = Self.steps[journey.step]
        journey.step += 1
        var properties: [JSONMember] = [JSONMember("page", .string(page(of: type)))]
        if type != "app_open" {
            properties.append(JSONMember("destination", .string(journey.destination)))
        }
        if type.hasPrefix("booking") || type.hasPrefix("payment") || type == "click_cta" {
            properties.append(JSONMember("price", .string(journey.price)))
        }
        if type == "booking_created" { journey.booking = "book_" + random.id().prefix(8) }
        if let booking = journey.booking {
            properties.append(JSONMember("booking_id", .string(booking)))
        }
        let isBooking = type == "booking_created" || type == "payment_completed"
        return SimulatedEvent(
            key: journey.user,
            payload: [
                "event_id": .string(random.id()), "event_type": .string(type),
                "user_id": .string(journey.user), "session_id": .string(journey.session),
                "app_type": .string(isBooking ? "booking" : app),
                "timestamp": .string(now.isoText), "properties": .object(properties),
            ])
    }

    private mutating func page(of type: String) -> String {
        switch type {
        case "app_open": "home"
        case "search", "filter_applied": "search_results"
        case "booking_view", "click_cta": "booking_detail"
        case "booking_created", "payment_completed": "checkout"
        default: random.pick(TravelWorld.pages)
        }
    }
}
