import Base
import Foundation

/// At which calls of a disk a run is interrupted in the tests that try them one after the other. What is not synced
/// survives half of them and is gone at the other half; with WEIR_EVERY_FAILURE each is tried both ways.
package enum FailurePoints {
    private static let triesAll = ProcessInfo.processInfo.environment["WEIR_EVERY_FAILURE"] != nil

    package static func first(keepingUnsynced: Bool) -> Int { triesAll || keepingUnsynced ? 0 : 1 }

    package static var step: Int { triesAll ? 1 : 2 }
}
