// Between a consumer group in memory and its records in the log.

import Base

extension ConsumerGroup {
    /// The records of everything that changed since the last call. Removals come first; the epochs
    /// stand around the targets, so that a part of a long list never looks finished.
    mutating func takeRecords() -> (records: [GroupRecord], changes: ConsumerGroupChanges) {
        let taken = changes
        changes = ConsumerGroupChanges()
        var gone: [ConsumerRecord] = []
        var records: [ConsumerRecord] = []
        for member in taken.members.sorted() {
            if let present = members[member] {
                records.append(.member(group: id, id: member, present.wishes))
            } else {
                gone.append(.place(group: id, id: member, nil))
                gone.append(.target(group: id, id: member, nil))
                gone.append(.member(group: id, id: member, nil))
            }
        }
        for text in taken.patterns.sorted() {
            let present = patterns[text].map {
                ConsumerRecord.Pattern(topics: $0.topics, timestamp: $0.timestamp)
            }
            records.append(.pattern(group: id, text: text, present))
        }
        if taken.epoch {
            records.append(
                .epoch(
                    group: id,
                    ConsumerRecord.Epoch(epoch: epoch, topicFingerprint: topicFingerprint)))
        }
        for member in taken.targets.sorted() where members[member] != nil {
            records.append(.target(group: id, id: member, target[member]))
        }
        if taken.assignmentEpoch { records.append(.targetEpoch(group: id, assignmentEpoch)) }
        for member in taken.places.sorted() {
            guard let present = members[member] else { continue }
            records.append(.place(group: id, id: member, present.place))
        }
        return ((gone + records).map(ConsumerRecordFormat.record), taken)
    }

    /// Everything that the log may hold of the group, as tombstones.
    func tombstones() -> [GroupRecord] {
        var records: [ConsumerRecord] = []
        for member in Set(members.keys).union(changes.members).sorted() {
            records.append(.place(group: id, id: member, nil))
            records.append(.target(group: id, id: member, nil))
            records.append(.member(group: id, id: member, nil))
        }
        for text in Set(patterns.keys).union(changes.patterns).sorted() {
            records.append(.pattern(group: id, text: text, nil))
        }
        records.append(.targetEpoch(group: id, nil))
        records.append(.epoch(group: id, nil))
        return records.map(ConsumerRecordFormat.record)
    }

    /// Takes what one record says.
    mutating func replay(_ record: ConsumerRecord) {
        switch record {
        case .epoch(_, let value):
            epoch = max(value?.epoch ?? 0, 0)
            topicFingerprint = value?.topicFingerprint ?? 0
        case .targetEpoch(_, let value): assignmentEpoch = max(value ?? 0, 0)
        case .member(_, let id, let wishes?):
            restore { $0.changeMember(id) { member in member.take(wishes) } }
        case .member(_, let id, nil): restore { $0.members[id] = nil }
        case .target(_, let id, let partitions): restore { $0.target[id] = partitions }
        case .place(_, let id, let place?):
            restore { $0.changeMember(id) { member in member.take(place) } }
        case .place(_, let id, nil):
            restore {
                guard $0.members[id] != nil else { return }
                $0.changeMember(id) { member in
                    member.take(
                        ConsumerRecord.Place(
                            epoch: 0, previousEpoch: 0, state: 0, assigned: PartitionSet(),
                            pendingRevocation: PartitionSet()))
                }
            }
        case .pattern(_, let text, let value):
            restore {
                $0.patterns[text] = value.map {
                    ResolvedPattern(topics: $0.topics.sorted(), timestamp: $0.timestamp)
                }
            }
        case .topics: break
        }
    }
}

extension ConsumerMember {
    var wishes: ConsumerRecord.Wishes {
        ConsumerRecord.Wishes(
            instanceID: instanceID, rackID: rackID, clientID: clientID, clientHost: clientHost,
            topics: topics, regex: regex.isEmpty ? nil : regex,
            rebalanceTimeoutMilliseconds: rebalanceTimeoutMilliseconds, assignor: assignor,
            classic: classic.map {
                ConsumerRecord.Wishes.Classic(
                    sessionTimeoutMilliseconds: $0.sessionTimeoutMilliseconds,
                    protocols: $0.protocols)
            })
    }

    var place: ConsumerRecord.Place {
        ConsumerRecord.Place(
            epoch: epoch, previousEpoch: previousEpoch, state: state.rawValue, assigned: assigned,
            pendingRevocation: pendingRevocation)
    }

    mutating func take(_ wishes: ConsumerRecord.Wishes) {
        instanceID = wishes.instanceID
        rackID = wishes.rackID
        clientID = wishes.clientID
        clientHost = wishes.clientHost
        topics = wishes.topics.sorted()
        regex = wishes.regex ?? ""
        rebalanceTimeoutMilliseconds = wishes.rebalanceTimeoutMilliseconds
        assignor = wishes.assignor
        classic = wishes.classic.map {
            Classic(
                sessionTimeoutMilliseconds: $0.sessionTimeoutMilliseconds, protocols: $0.protocols)
        }
        hasWishes = true
    }

    mutating func take(_ place: ConsumerRecord.Place) {
        epoch = place.epoch
        previousEpoch = place.previousEpoch
        // States of newer coordinators: look again.
        state = State(rawValue: place.state) ?? .unreleased
        assigned = place.assigned
        pendingRevocation = place.pendingRevocation
    }
}
