import Base
import Coordinator

extension [GroupRecord] {
    /// What a cleaning that reaches to the end leaves: the last record of each key, no tombstones.
    func compacted() -> [GroupRecord] {
        var last: [Bytes: Int] = [:]
        for (index, record) in enumerated() { last[record.key] = index }
        return enumerated().filter { index, record in
            last[record.key] == index && record.value != nil
        }.map(\.element)
    }
}
