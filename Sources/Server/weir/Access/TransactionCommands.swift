// Transactions: what is open, and ending what hangs.

import Base
import Runtime
import WeirClient

let transactionCommands: [RegisteredCommand] = [
    RegisteredCommand(
        spec: CommandSpec(
            "txn list", "Lists transactional ids and the state of their transactions",
            flags: [
                FlagSpec(
                    "state", nil, value: "STATE", "Only in this state", isRepeatable: true),
                brokerFlag,
            ],
            examples: [("weir txn list --state Ongoing", "what is open now")]),
        run: listTransactions),
    RegisteredCommand(
        spec: CommandSpec(
            "txn describe", "Describes a transactional id: its producer, age and partitions",
            arguments: [ArgumentSpec("ID", .one, "The transactional id")], flags: [brokerFlag]),
        run: describeTransaction),
    RegisteredCommand(
        spec: CommandSpec(
            "txn abort", "Aborts the open transaction of an id, or one that hangs in a partition",
            details: """
                An id is taken over, so its producer is fenced off and can't go on. With --topic,
                --partition and --producer-id an abort marker is written where a transaction hangs
                that no coordinator knows any more.
                """,
            arguments: [ArgumentSpec("ID", .optional, "The transactional id")],
            flags: [
                FlagSpec("topic", nil, value: "TOPIC", "Where it hangs", kind: .topic),
                FlagSpec("partition", "p", value: "N", "The partition"),
                FlagSpec("producer-id", nil, value: "N", "The producer"),
                FlagSpec("yes", "y", "Does not ask"), brokerFlag,
            ]),
        run: abortTransaction),
]

private func listTransactions(_ context: CommandContext) throws(Problem) -> ExitCode {
    let states = context.invocation.strings("state")
    return try context.withAdmin { (admin) throws(Problem) in
        let found = try calling { () throws(ClientFailure) in
            try admin.listTransactions(states: states)
        }
        let json = found.map { one -> JSONValue in
            [
                "id": .string(one.transactionalId), "producer_id": .int(one.producerId),
                "state": .string(one.state),
            ]
        }
        context.printTable(
            TextTable(
                [.init("ID"), .init("PRODUCER", isNumber: true), .init("STATE")],
                rows: found.map { [$0.transactionalId, "\($0.producerId)", $0.state] }),
            json: ["transactions": .array(json)])
        return .ok
    }
}

private func find(_ id: String, _ admin: Admin) throws(Problem) -> TransactionInfo {
    do throws(ClientFailure) {
        return try admin.describeTransaction(id)
    } catch {
        guard error.codeName == "TRANSACTIONAL_ID_NOT_FOUND" else { throw Problem(error) }
        let known = ((try? admin.listTransactions()) ?? []).map(\.transactionalId)
        throw Problem(
            "txn.unknown", "there is no transactional id \"\(id)\"",
            hint: nearestName(to: id, among: known).map { "did you mean \"\($0)\"?" }
                ?? "weir txn list")
    }
}

private func describeTransaction(_ context: CommandContext) throws(Problem) -> ExitCode {
    try context.withAdmin { (admin) throws(Problem) in
        let info = try find(context.invocation.arguments[0], admin)
        let now = SystemClock.timestamp.milliseconds
        let age = info.started.map { Double(max(0, now - $0)) / 1000 }
        if context.isJSON {
            context.print([
                "id": .string(info.transactionalId), "state": .string(info.state),
                "producer_id": .int(info.producerId), "producer_epoch": .int(info.producerEpoch),
                "timeout_seconds": .double(Double(info.timeoutMilliseconds) / 1000),
                "open_seconds": age.map { .double($0) } ?? .null,
                "partitions": .array(
                    info.partitions.map {
                        ["topic": .string($0.topic), "partition": .int($0.partition)]
                    }),
            ])
            return .ok
        }
        let table = TextTable(
            [.init("TOPIC"), .init("PART", isNumber: true)],
            rows: info.partitions.map { [$0.topic, "\($0.partition)"] })
        if (context.invocation.string("output") ?? "text") != "text" {
            context.printTable(table, json: .null)
            return .ok
        }
        var text = "id        \(printable(info.transactionalId))\nstate     \(info.state)\n"
        text += "producer  \(info.producerId), epoch \(info.producerEpoch)\n"
        text += "timeout   \(durationText(seconds: Double(info.timeoutMilliseconds) / 1000))\n"
        if let age { text += "open for  \(durationText(seconds: age))\n" }
        context.print(info.partitions.isEmpty ? text : text + "\n" + table.plain())
        return .ok
    }
}

private func abortTransaction(_ context: CommandContext) throws(Problem) -> ExitCode {
    let call = context.invocation
    let hanging = ["topic", "partition", "producer-id"].filter { call.isSet($0) }
    guard call.arguments.isEmpty ? hanging.count == 3 : hanging.isEmpty else {
        throw Problem(
            "usage.missingArgument",
            "\"weir txn abort\" needs an id, or --topic, --partition and --producer-id")
    }
    return try context.withAdmin { (admin) throws(Problem) in
        if let id = call.arguments.first {
            let info = try find(id, admin)
            guard info.state == "Ongoing" else {
                throw Problem(
                    "txn.notOpen", "\"\(id)\" has no open transaction: its state is \(info.state)")
            }
            if !call.isSet("yes") { try confirm("Abort the transaction of \(id)?") }
            var outcome = ItemOutcome(name: id)
            do throws(ClientFailure) {
                try admin.fenceProducer(id)
            } catch {
                outcome.problem = Problem(error)
            }
            return context.finish([outcome], "transaction", done: "aborted")
        }
        return try abortHanging(context, admin)
    }
}

private func abortHanging(
    _ context: CommandContext, _ admin: Admin
) throws(Problem) -> ExitCode {
    let call = context.invocation
    let topic = try describeTopic(call.string("topic") ?? "", admin)
    let number = Int32(try call.integer("partition", in: 0...Int64(Int32.max)) ?? 0)
    let address = PartitionAddress(topic.name, number)
    guard topic.partitions.contains(where: { $0.partition == number }) else {
        throw Problem("topic.partition", "\(topic.name) has no partition \(number)")
    }
    let wanted = try call.integer("producer-id", in: 0...Int64.max)
    let producers = try calling { () throws(ClientFailure) in
        try admin.describeProducers([address])
    }
    let open = producers.filter { $0.openSince != nil }
    guard let producer = open.first(where: { $0.producerId == wanted }) else {
        throw Problem(
            "txn.notOpen", "producer \(wanted ?? -1) has no open transaction in \(address)",
            notes: open.map { "open there: producer \($0.producerId)" })
    }
    if !call.isSet("yes") {
        try confirm("Abort the transaction of producer \(producer.producerId) in \(address)?")
    }
    var outcome = ItemOutcome(name: "\(address) producer \(producer.producerId)")
    do throws(ClientFailure) {
        try admin.abortHanging(producer)
    } catch {
        outcome.problem = Problem(error)
    }
    return context.finish([outcome], "transaction", done: "aborted")
}
