// swift-tools-version: 6.0
import PackageDescription

let swift = "bindings/swift"

// Where the native library comes from: a folder with `libtokenward_uniffi.a` (development, and Linux), an XCFramework
// of one's own, or the released one.
let library = Context.environment["TOKENWARD_LIB_DIR"]
let framework = Context.environment["TOKENWARD_XCFRAMEWORK"]
let release = (
    url: "https://github.com/tokenward/tokenward/releases/download/v0.1.0/Tokenward.xcframework.zip",
    checksum: "0000000000000000000000000000000000000000000000000000000000000000"
)

#if os(Linux)
    let isPrebuilt = false
#else
    let isPrebuilt = library == nil
#endif

let ffi: Target =
    if !isPrebuilt {
        .systemLibrary(name: "TokenwardFFI", path: "\(swift)/Sources/TokenwardFFI")
    } else if let framework {
        .binaryTarget(name: "TokenwardFFI", path: framework)
    } else {
        .binaryTarget(name: "TokenwardFFI", url: release.url, checksum: release.checksum)
    }
let link: [LinkerSetting] =
    if isPrebuilt {
        []
    } else if let library {
        // By its path: `-l` would prefer a dynamic library beside it.
        [.unsafeFlags(["-Xlinker", "\(library)/libtokenward_uniffi.a"])]
    } else {
        [.linkedLibrary("tokenward_uniffi")]
    }
let settings: [SwiftSetting] = [.enableUpcomingFeature("InternalImportsByDefault")]

let package = Package(
    name: "tokenward",
    platforms: [.iOS(.v15), .macOS(.v12), .tvOS(.v15), .watchOS(.v8), .visionOS(.v1)],
    products: [
        .library(name: "Tokenward", targets: ["Tokenward"]),
        .library(name: "TokenwardTesting", targets: ["TokenwardTesting"]),
    ],
    targets: [
        ffi,
        .target(
            name: "Tokenward", dependencies: ["TokenwardFFI"], path: "\(swift)/Sources/Tokenward",
            resources: [.copy("PrivacyInfo.xcprivacy")], swiftSettings: settings, linkerSettings: link),
        .target(
            name: "TokenwardTesting", dependencies: ["Tokenward"], path: "\(swift)/Sources/TokenwardTesting",
            swiftSettings: settings),
        .executableTarget(
            name: "tokenward-replay", dependencies: ["Tokenward"], path: "\(swift)/Tests/Replay",
            swiftSettings: settings),
        .executableTarget(
            name: "tokenward-probe", dependencies: ["Tokenward"], path: "\(swift)/Tests/Probe",
            swiftSettings: settings),
        .executableTarget(
            name: "tokenward-bench", dependencies: ["Tokenward"], path: "\(swift)/Tests/Bench",
            swiftSettings: settings),
        .testTarget(
            name: "TokenwardTests", dependencies: ["Tokenward", "TokenwardTesting"], path: "\(swift)/Tests/TokenwardTests",
            swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)
