// What the lake's benchmarks and long tests run inside of one process: see `Benchmarks/lake.py` and
// `make mutate-lake`. Each command prints one JSON object.

import Base
import Glibc

let commands: [(name: String, run: ([String]) throws -> JSONValue)] = [
    ("commits", runCommits), ("load", runLoad), ("mutate", runMutations),
]

let arguments = Array(CommandLine.arguments.dropFirst())
guard let name = arguments.first, let command = commands.first(where: { $0.name == name }) else {
    print("usage: LakeBench " + commands.map(\.name).joined(separator: "|") + " …")
    exit(2)
}
do {
    print(try command.run(Array(arguments.dropFirst())).text)
} catch {
    print("LakeBench \(name): \(error)")
    exit(1)
}

/// Argument number `index` as a whole number.
func number(_ arguments: [String], _ index: Int, _ fallback: Int) -> Int {
    index < arguments.count ? Int(arguments[index]) ?? fallback : fallback
}
