import Base
import Runtime

/// What Tab completes: the server knows the words. Commands of the shell, and their arguments, are
/// completed here.
///
/// The line editor's callback carries no context, so this is the one variable of the program that
/// is not handed around; only the shell's thread uses it.
final class ShellCompletion: @unchecked Sendable {
    private var service: (any QueryService)?
    /// The lines of the statement above the one that is edited.
    var before = ""

    func begin(with service: any QueryService) { self.service = service }

    /// The typed part of the last word, and what it can become.
    func candidates(_ line: String) -> (typed: String, words: [String]) {
        if before.isEmpty, line.hasPrefix("\\"), !line.contains(" ") {
            return (line, SQLShell.commandNames.filter { $0.hasPrefix(line) })
        }
        var text = before + line
        if before.isEmpty, line.hasPrefix("\\") {
            // `\d na…` wants relations, as FROM does.
            text = "SELECT FROM " + (line.split(separator: " ").last ?? "")
            if line.hasSuffix(" ") { text = "SELECT FROM " }
        }
        guard
            let answer = try? service?.json(
                "POST", "/complete", body: ["sql": .string(text)])
        else { return ("", []) }
        let typed = answer["prefix"]?.stringValue ?? ""
        let isLower = typed == typed.lowercased() && !typed.isEmpty
        let words = (answer["candidates"]?.arrayValue ?? []).map { candidate in
            let text = candidate["text"]?.stringValue ?? ""
            switch candidate["kind"]?.stringValue {
            case "keyword" where isLower: return text.lowercased()
            case "function": return text + "("
            default: return text
            }
        }
        return (typed, words)
    }
}

let shellCompletion = ShellCompletion()

/// Writes the typed part of the word and, one a line, what it can become.
func completeWord(
    _ line: UnsafePointer<CChar>?, _ words: UnsafeMutablePointer<CChar>?, _ capacity: Int32
) {
    guard let line, let words, capacity > 0 else { return }
    let (typed, found) = shellCompletion.candidates(String(cString: line))
    guard !found.isEmpty else { return }
    var text = typed
    for word in found {
        // Whole words only.
        if text.utf8.count + word.utf8.count + 2 > Int(capacity) { break }
        text += "\n" + word
    }
    let bytes = Array(text.utf8)
    for (index, byte) in bytes.enumerated() { words[index] = CChar(bitPattern: byte) }
    words[bytes.count] = 0
}
