import Base
import Foundation
import Runtime
import Testing

/// A table with every kind of value, for completion scripts and manual pages.
private let table = CommandTable(
    program: "weir", summary: "a test",
    globalFlags: [
        FlagSpec("output", "o", value: "FORM", "The form", choices: ["text", "json"])
    ],
    commands: [
        CommandSpec(
            "topic create", "Creates a topic: anew", details: ".dots and 'quotes'\nof two lines",
            arguments: [ArgumentSpec("TOPIC", .one, "The name")],
            flags: [
                FlagSpec("codec", "z", value: "CODEC", "How", choices: ["lz4", "zstd"]),
                FlagSpec("file", value: "FILE", "What", kind: .file),
                FlagSpec("force", "f", "It's"),
            ], examples: [("weir topic create a-b", "makes a-b")]),
        CommandSpec(
            "topic describe", "Describes",
            arguments: [ArgumentSpec("TOPIC", .one, "The name", kind: .topic)]),
        CommandSpec(
            "tail", "Shows", flags: [FlagSpec("group", "g", value: "G", "Group", kind: .group)]),
    ])

/// Runs a shell with the script on its standard input; nil when the shell is not installed.
private func run(_ shell: String, _ arguments: [String], _ script: String) throws -> String? {
    guard
        let path = ["/usr/bin/", "/bin/", "/usr/local/bin/"].map({ $0 + shell })
            .first(where: { FileManager.default.isExecutableFile(atPath: $0) })
    else { return nil }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    let input = Pipe()
    let output = Pipe()
    process.standardInput = input
    process.standardOutput = output
    process.standardError = output
    try process.run()
    input.fileHandleForWriting.write(Data(script.utf8))
    input.fileHandleForWriting.closeFile()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return text
}

@Suite struct CompletionTests {
    private static let cases: [(words: [String], offers: Set<String>)] = [
        (["t"], ["topic", "tail"]), (["topic", ""], ["create", "describe"]),
        (["topic", "cr"], ["create"]), (["topic", "create", "--co"], ["--codec"]),
        (["topic", "create", "-z", ""], ["lz4", "zstd"]),
        (["topic", "create", "x", "--codec", "l"], ["lz4"]),
        (["tail", "-o", ""], ["text", "json"]), (["topic", "describe", "or"], ["orders"]),
        (["tail", "--group", ""], ["audit"]),
    ]

    /// Stands in for the program that is asked for names.
    private let program = """
        weir() { case "$1" in topic) printf 'orders\\t1\\n';; group) printf 'audit\\tx\\n';; esac; }

        """

    @Test(arguments: cases)
    func `bash offers what fits`(words: [String], offers: Set<String>) throws {
        let quoted = (["weir"] + words).map { "'\($0)'" }.joined(separator: " ")
        let script =
            program + table.completionScript(shell: "bash")
            + "\nCOMP_WORDS=(\(quoted)); COMP_CWORD=\(words.count); _weir\n"
            + "printf '%s\\n' \"${COMPREPLY[@]}\"\n"
        guard let found = try run("bash", ["--norc"], script) else { return }
        #expect(Set(found.split(separator: "\n").map(String.init)) == offers)
    }

    @Test(arguments: cases)
    func `zsh offers what fits`(words: [String], offers: Set<String>) throws {
        let quoted = (["weir"] + words).map { "'\($0)'" }.joined(separator: " ")
        let last = words.last ?? ""
        // The two functions that the completion system of zsh would bring.
        let script =
            program + """
                _describe() { local one; for one in ${(P)2}; do one=${one%%:*}
                  [[ $one == $PREFIX* ]] && print -r -- $one; done }
                compadd() { shift; local one; for one in "$@"; do
                  [[ $one == $PREFIX* ]] && print -r -- $one; done }

                """ + table.completionScript(shell: "zsh")
            + "\nwords=(\(quoted)); CURRENT=\(words.count + 1); PREFIX='\(last)'; _weir\n"
        guard let found = try run("zsh", ["-f"], script) else { return }
        #expect(Set(found.split(separator: "\n").map(String.init)) == offers)
    }

    @Test(arguments: cases)
    func `fish offers what fits`(words: [String], offers: Set<String>) throws {
        let line = (["weir"] + words).joined(separator: " ")
        let script = """
            function weir; switch $argv[1]; case topic; printf 'orders\\t1\\n'
            case group; printf 'audit\\tx\\n'; end; end

            """ + table.completionScript(shell: "fish") + "\ncomplete -C '\(line)'\n"
        guard let found = try run("fish", ["--no-config"], script) else { return }
        let names = found.split(separator: "\n").map {
            String($0.split(separator: "\t", omittingEmptySubsequences: false)[0])
        }
        #expect(Set(names) == offers)
    }

    @Test func `the scripts have no mistakes of syntax`() throws {
        for shell in CommandTable.shells {
            let found = try run(shell, ["-n"], table.completionScript(shell: shell))
            #expect(found == nil || found == "", "\(shell): \(found ?? "")")
        }
    }
}

@Suite struct ManualPageTests {
    @Test func `there is a page of the program and of every command`() throws {
        let pages = table.manualPages
        #expect(
            pages.map(\.name) == [
                "weir.1", "weir-topic-create.1", "weir-topic-describe.1", "weir-tail.1",
            ])
        for command in table.commands {
            let page = try table.manualPage(for: command.path)
            #expect(page.contains(command.summary))
            for flag in command.flags { #expect(page.contains("\\-\\-\(flag.long)")) }
            for argument in command.arguments { #expect(page.contains(argument.summary)) }
        }
        #expect(throws: Problem.self) { try table.manualPage(for: ["topik"]) }
    }

    @Test func `lines that begin with a dot or quote are no macros`() throws {
        let page = try table.manualPage(for: ["topic", "create"])
        #expect(page.contains("\n\\&.dots and 'quotes'\nof two lines\n"))
        #expect(page.contains(".B weir topic create a\\-b\nmakes a\\-b"))
    }

    @Test func `the formatter has nothing to complain about`() throws {
        for page in table.manualPages {
            let complaints = try run("groff", ["-man", "-ww", "-z", "-K", "utf8"], page.text)
            #expect(complaints == nil || complaints == "", "\(page.name): \(complaints ?? "")")
        }
    }
}
