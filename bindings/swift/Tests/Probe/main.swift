// An app that is killed. usage: tokenward-probe BASE FILE alone|shared POINT|COUNT, or as Neighbour.swift says
//
// Keeps a token of the demo service's Flute at BASE in FILE. With a POINT (`before-transaction-3`, `after-send-1` …) it
// kills itself there; with a COUNT it renews so often. Prints a line for each token that may be used, and `done`.

internal import Foundation
internal import Tokenward

#if canImport(FoundationNetworking)
    internal import FoundationNetworking
#endif

let arguments = CommandLine.arguments
if arguments.count == 6 { try await Neighbour(Array(arguments.dropFirst())).live() }
guard arguments.count == 5 else { exit(64) }
let (base, file, point) = (arguments[1], URL(fileURLWithPath: arguments[2]), arguments[4])
let isShared = arguments[3] == "shared"

var provider = TokenProvider(.fluteSandbox)
(provider.baseUrl, provider.apiOrigins, provider.loopbackHttp) = (base, nil, true)
provider.policy = RefreshPolicy {
    ($0.jitterPermille, $0.minIntervalMs) = (0, 0)
    // Who is killed at any time renews without a rest.
    if (Int(point) ?? 1) > 100 { $0.fractionPermille = 0 }
    // An announcement is waited for to its end while the token is good: of who was killed, or of who is done long since.
    $0.responseTimeoutMs = 4000
}
var options = TokenManagerOptions()
options.dangerouslyAllowServerOnlyCredentials = true
options.requestTimeout = 2
let fuse = Fuse(point)
let manager = try TokenManager(
    provider: provider,
    source: .credentials {
        Credentials(
            clientId: "5948387095948a11c0de0000000000000000000038697242c",
            clientSecret: "9eb2c6859daa4%2Bd8ae5da9:colon+plus")
    },
    storage: FusedStorage(
        storage: try FileTokenStorage(path: file, sealKey: Data(repeating: 7, count: 32), shared: isShared), fuse: fuse),
    transport: FusedTransport(fuse: fuse), options: options)

let url = URL(string: base + "/v2/transactions")!
func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }
var generation = try await manager.authorize(method: "GET", url: url).generation
say("token")
for _ in 0..<(Int(point) ?? 1) {
    // No refresh is due for a second from the request before it: a step that waits would be one more.
    if Int(point) ?? 1 == 1 { try await Task.sleep(nanoseconds: 1_100_000_000) }
    try await manager.renew()
    while try await manager.authorize(method: "GET", url: url).generation == generation {
        // Many wait for an announcement to end side by side, and may not keep each other from being in time.
        try await Task.sleep(nanoseconds: Int(point) ?? 1 == 1 ? 10_000_000 : 1_000_000)
    }
    generation = try await manager.authorize(method: "GET", url: url).generation
    say("token")
}
// To end while a request is out would be one more way of being killed.
while try await manager.status().next != .nothing { try await Task.sleep(nanoseconds: 1_000_000) }
let (_, response) = try await URLSession.shared.data(for: URLRequest(url: url), authorizedBy: manager)
guard (response as? HTTPURLResponse)?.statusCode == 200 else { exit(1) }
say("done")
