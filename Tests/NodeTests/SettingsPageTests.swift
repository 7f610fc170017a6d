import Foundation
import Node
import Testing

@Suite struct SettingsPageTests {
    /// With `WEIR_REWRITE_PAGES=1` the page is written anew; review the difference.
    @Test func `the page about settings is what the tables say`() throws {
        let page = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../docs/operating/configs.md").standardizedFileURL
        if ProcessInfo.processInfo.environment["WEIR_REWRITE_PAGES"] == "1" {
            try FileManager.default.createDirectory(
                at: page.deletingLastPathComponent(), withIntermediateDirectories: true)
            try SettingsPage.text.write(to: page, atomically: true, encoding: .utf8)
        }
        #expect(try String(contentsOf: page, encoding: .utf8) == SettingsPage.text)
    }
}
