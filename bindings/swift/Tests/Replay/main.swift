// Executes scenarios over the generated bridge.
//
// Reads scenarios from the standard input, one a line, and prints a line for each: an array with what came of each
// step. Whoever reads it compares (docs/SCENARIOS.md).

internal import Foundation

while let line = readLine() {
    let scenario = try JSONSerialization.jsonObject(with: Data(line.utf8)) as! Object
    var run = try Scenario(scenario)
    let results = try run.results()
    FileHandle.standardOutput.write(try JSONSerialization.data(withJSONObject: results) + [0x0A])
}
