// swift-tools-version: 6.0
import PackageDescription

let package = Package(
    name: "swift-cli",
    platforms: [.macOS(.v12)],
    dependencies: [.package(name: "tokenward", path: Context.environment["TOKENWARD_PACKAGE"] ?? "../..")],
    targets: ["tokenward-swift", "tokenward-sign-in"].map {
        .executableTarget(name: $0, dependencies: [.product(name: "Tokenward", package: "tokenward")])
    }
)
