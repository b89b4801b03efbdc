// swift-tools-version: 6.0
import PackageDescription

let package = Package(
    name: "Consumer",
    platforms: [.iOS(.v15), .macOS(.v12)],
    dependencies: [.package(name: "tokenward", path: Context.environment["TOKENWARD_PACKAGE"]!)],
    targets: [
        .executableTarget(name: "Consumer", dependencies: ["InSwift5", .product(name: "Tokenward", package: "tokenward")]),
        .target(
            name: "InSwift5", dependencies: [.product(name: "Tokenward", package: "tokenward")],
            swiftSettings: [.swiftLanguageMode(.v5)]),
    ]
)
