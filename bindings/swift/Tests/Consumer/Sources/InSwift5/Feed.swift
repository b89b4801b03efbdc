import Foundation
import Tokenward

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// A class of an app that is not in the Swift 6 language mode yet.
public class Feed {
    private let tokens: any TokenKeeper
    public var shown = ""

    public init(_ tokens: any TokenKeeper) {
        self.tokens = tokens
    }

    public func load(_ url: URL) async throws {
        shown = try await tokens.authorize(URLRequest(url: url)).request.value(forHTTPHeaderField: "Authorization") ?? ""
    }
}
