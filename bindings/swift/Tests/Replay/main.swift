// Runs scenarios over the generated bridge. usage: tokenward-replay FILE...
//
// Prints one line of JSON for each file, {"file":"…","ok":true,"difference":null}, and ends with 1 where any differs.

internal import Foundation

func difference(in file: String) -> String? {
    guard let bytes = FileManager.default.contents(atPath: file).map(Array.init) else { return "cannot be read" }
    guard String(decoding: bytes, as: UTF8.self).utf8.elementsEqual(bytes) else { return "is no UTF-8" }
    do throws(Fault) {
        return try Scenario.difference(in: bytes)
    } catch {
        return "is no scenario: \(error.text)"
    }
}

var differ = CommandLine.arguments.count < 2
for file in CommandLine.arguments.dropFirst() {
    let difference = difference(in: file)
    differ = differ || difference != nil
    var line = Object()
    line["file"] = .string(Text(file))
    line["ok"] = .bool(difference == nil)
    line["difference"] = difference.map { .string(Text($0)) } ?? .null
    FileHandle.standardOutput.write(Data(JSON.object(line).text + [0x0A]))
}
exit(differ ? 1 : 0)
