// A person signs in. usage: tokenward-sign-in ISSUER CLIENT_ID FILE [device | CALLBACK]
//
// In a browser of this machine, on another device, or with the URL that a browser came back with after this was killed.

import Foundation
import Tokenward

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

let arguments = CommandLine.arguments
let (issuer, id, file) = (arguments[1], arguments[2], arguments[3])
let key = Data(repeating: 7, count: 32)  // An app uses KeychainTokenStorage, which has its own.
let pending = try FileTokenStorage(path: URL(fileURLWithPath: file + ".pending"), sealKey: key)
let tokens = try TokenManager(
    provider: TokenProvider(name: "issuer", baseUrl: issuer, tokenPath: "/token") {
        $0.issuer = issuer
        $0.authorizationUrl = issuer + "/auth?prompt=consent"
        $0.devicePath = "/device/auth"
        $0.scope = "openid offline_access"
        $0.authentication = .publicClient
        $0.refreshGrant = true
        $0.exposure = .appAllowed
        $0.loopbackHttp = true
    },
    source: .credentials { Credentials(clientId: id) },
    storage: FileTokenStorage(path: URL(fileURLWithPath: file), sealKey: key))

func say(_ line: String) {
    print(line)
    fflush(nil)
}

func call() async throws {
    let me = URLRequest(url: URL(string: issuer + "/me")!)
    let (_, response) = try await URLSession.shared.data(for: me, authorizedBy: tokens)
    say("signed in: \((response as? HTTPURLResponse)?.statusCode ?? 0)")
}

func signIn() async throws {
    switch arguments.dropFirst(4).first {
    case nil: try await tokens.signInByLoopback(pending: pending) { say("sign in at \($0)") }
    case "device": try await tokens.signInOnAnotherDevice { say("enter \($0.userCode) at \($0.verificationURI)") }
    case let callback?: try await tokens.resumeSignIn(callback: URL(string: callback)!, pending: pending)
    }
}

do {
    do {
        try await call()
    } catch TokenwardError.signInRequired {
        try await signIn()
        try await call()
    }
} catch let error as TokenwardError {
    say("\(error.code): \(error.localizedDescription)")
    exit(1)
}
