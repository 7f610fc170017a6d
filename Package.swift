// swift-tools-version: 6.2
// Weir has no Swift package dependencies: C libraries come from the system (scripts/packages.txt),
// and the only way from one room of the house to another is written down here.
import Foundation
import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// One room of the house: a module in a wing, and the rooms that it may enter.
func room(_ name: String, in folder: String, uses: [String] = []) -> Target {
    .target(
        name: name, dependencies: uses.map { .init(stringLiteral: $0) },
        path: "Sources/\(folder)", swiftSettings: strict)
}

func cShim(_ name: String, in folder: String, links: [String] = []) -> Target {
    .target(
        name: name, path: "Sources/\(folder)",
        cSettings: [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])],
        linkerSettings: links.map { .linkedLibrary($0) })
}

/// The tests of a room. They are compiled without optimization in release builds too: most of their code runs
/// once, and optimizing it takes longer than all of them run.
func tests(_ module: String, uses: [String] = []) -> Target {
    .testTarget(
        name: "\(module)Tests",
        dependencies: ([module] + uses).map { .init(stringLiteral: $0) },
        swiftSettings: strict + [.unsafeFlags(["-Onone"], .when(configuration: .release))])
}

let wire: [Target] = [
    cShim("CPlatform", in: "Wire/CPlatform"),
    cShim("CCodecs", in: "Wire/CCodecs", links: ["z", "snappy", "lz4", "zstd", "brotlidec"]),
    cShim("CCrypto", in: "Wire/CCrypto", links: ["crypto"]),
    cShim("CRegex", in: "Wire/CRegex", links: ["re2", "stdc++"]),
    room("Base", in: "Wire/Base", uses: ["CPlatform", "CRegex"]),
    room("Crypto", in: "Wire/Crypto", uses: ["Base", "CCrypto"]),
    cShim("CTLS", in: "Wire/CTLS", links: ["ssl", "crypto"]),
    room("TLS", in: "Wire/TLS", uses: ["Base", "CTLS"]),
    room("Compression", in: "Wire/Compression", uses: ["Base", "CCodecs"]),
    room("WireProtocol", in: "Wire/Protocol", uses: ["Base", "Compression"]),
    room(
        "WeirClient", in: "Wire/Client",
        uses: ["Base", "Compression", "Crypto", "TLS", "WireProtocol", "CPlatform"]),
]

let broker: [Target] = [
    room("Log", in: "Broker/Log", uses: ["Base", "Compression", "WireProtocol"]),
    room("Quorum", in: "Broker/Quorum", uses: ["Base"]),
    room("Replica", in: "Broker/Replica", uses: ["Base", "Log"]),
    room("Coordinator", in: "Broker/Coordinator", uses: ["Base", "WireProtocol"]),
    room("Security", in: "Broker/Security", uses: ["Base", "Crypto", "Quorum"]),
]

let lake: [Target] = [
    room("Columns", in: "Lake/Columns", uses: ["Base"]),
    room("Parquet", in: "Lake/Parquet", uses: ["Base", "Compression", "Columns"]),
    room("Delta", in: "Lake/Delta", uses: ["Base", "Compression", "Columns", "Parquet"]),
    room("SQL", in: "Lake/SQL", uses: ["Base", "Columns"]),
    room("Engine", in: "Lake/Engine", uses: ["Base", "Crypto", "Columns", "SQL"]),
    room("Catalog", in: "Lake/Catalog", uses: ["Base", "Columns", "SQL", "Delta"]),
    room(
        "Streams", in: "Lake/Streams",
        uses: [
            "Base", "Compression", "WireProtocol", "Columns", "Parquet", "Delta", "SQL", "Engine",
            "Catalog",
        ]),
    room("RowFiles", in: "Lake/RowFiles", uses: ["Base", "Columns", "SQL", "Engine", "Streams"]),
]

let everythingBelowNode = [
    "Base", "Compression", "Crypto", "WireProtocol", "Log", "Quorum", "Replica", "Coordinator",
    "Security",
    "Columns", "Parquet", "Delta",
    "SQL", "Engine", "Catalog", "Streams", "RowFiles",
]

let server: [Target] = [
    cShim("CMicrohttpd", in: "Server/CMicrohttpd", links: ["microhttpd"]),
    cShim("CEdit", in: "Server/CEdit", links: ["edit"]),
    cShim("CCurl", in: "Server/CCurl", links: ["curl"]),
    room("ObjectStores", in: "Server/ObjectStores", uses: ["Base", "Crypto", "CCurl"]),
    room("Node", in: "Server/Node", uses: everythingBelowNode),
    room(
        "Runtime", in: "Server/Runtime",
        uses: ["Node", "CPlatform", "TLS", "ObjectStores"] + everythingBelowNode),
    room("Simulator", in: "Server/Simulator", uses: ["Node"] + everythingBelowNode),
    room(
        "Surfaces", in: "Server/Surfaces",
        uses: ["Node", "CMicrohttpd", "CPlatform"] + everythingBelowNode),
    room("Connectors", in: "Server/Connectors", uses: ["Base", "WeirClient", "CPlatform"]),
    .executableTarget(
        name: "weir",
        dependencies: [
            "Base", "Compression", "WireProtocol", "WeirClient", "Log", "Node", "Runtime",
            "Simulator", "ObjectStores",
            "Surfaces", "Connectors",
            "CEdit", "CPlatform", "SQL", "Engine", "Columns", "Catalog", "Streams", "Delta",
            "Parquet", "RowFiles",
        ],
        path: "Sources/Server/weir", swiftSettings: strict),
]

let testTargets: [Target] = [
    // Disks that fail, for the tests of several rooms.
    .target(
        name: "FaultyDisks", dependencies: ["Base"], path: "Tests/FaultyDisks",
        swiftSettings: strict),
    tests("Base"), tests("Compression", uses: ["Base"]),
    tests("WireProtocol", uses: ["Base", "Compression"]),
    tests("WeirClient", uses: ["Base", "WireProtocol", "Compression"]),
    tests("Log", uses: ["Base", "WireProtocol", "Compression", "FaultyDisks"]),
    tests("Quorum", uses: ["Base"]),
    tests("Replica", uses: ["Base", "Log", "WireProtocol", "Compression"]),
    tests("Crypto", uses: ["Base"]),
    tests("Security", uses: ["Base", "Crypto", "Quorum"]),
    tests("Coordinator", uses: ["Base", "WireProtocol"]),
    tests("Columns", uses: ["Base"]),
    tests("Parquet", uses: ["Base", "Columns", "Compression"]),
    tests("Delta", uses: ["Base", "Compression", "Columns", "Parquet", "FaultyDisks"]),
    tests("SQL", uses: ["Base", "Columns"]),
    tests("Engine", uses: ["Base", "Columns", "SQL", "FaultyDisks"]),
    tests("Catalog", uses: ["Base", "Columns", "SQL", "Delta"]),
    tests("Streams", uses: everythingBelowNode.filter { $0 != "Streams" }),
    tests("RowFiles", uses: ["Base", "Columns", "SQL", "Engine"]),
    tests("Node", uses: everythingBelowNode + ["FaultyDisks"]),
    tests("Runtime", uses: ["Node", "WeirClient"] + everythingBelowNode),
    tests("Simulator", uses: ["Node"] + everythingBelowNode),
    tests("Surfaces", uses: ["Node"] + everythingBelowNode),
    tests("ObjectStores", uses: ["Base", "Crypto"]),
]

/// Fuzz targets have no `main` of their own, so they would break an ordinary build.
let fuzzing = ProcessInfo.processInfo.environment["WEIR_FUZZ"] != nil
let fuzzTargets: [Target] =
    !fuzzing
    ? []
    : [
        "FuzzRecordBatch", "FuzzRequest", "FuzzParquet", "FuzzSQL", "FuzzJSON", "FuzzSignOn",
        "FuzzShareRecord", "FuzzDelta",
    ].map {
        .executableTarget(
            name: $0,
            dependencies: everythingBelowNode.map { .init(stringLiteral: $0) },
            path: "Fuzz/\($0)",
            swiftSettings: strict + [
                .unsafeFlags(["-sanitize=fuzzer", "-parse-as-library"])
            ],
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer", "-use-ld=lld"])])
    }

/// Benchmarks and long tests that run inside of one process: `WEIR_LAKE_BENCH=1 swift build -c release
/// --product LakeBench`.
let benchTargets: [Target] =
    ProcessInfo.processInfo.environment["WEIR_LAKE_BENCH"] == nil
    ? []
    : [
        .executableTarget(
            name: "LakeBench",
            dependencies: ["Base", "CPlatform", "Columns", "Parquet", "Delta", "Runtime"],
            path: "Benchmarks/lake", swiftSettings: strict)
    ]

let package = Package(
    name: "weir",
    products: [
        .executable(name: "weir", targets: ["weir"]),
        .library(name: "WeirClient", targets: ["WeirClient"]),
    ],
    targets: wire + broker + lake + server + testTargets + fuzzTargets
        + benchTargets)
