// swift-tools-version: 6.0
import PackageDescription

let package = Package(
    name: "Consumer",
    platforms: [.iOS(.v15), .macOS(.v12)],
    dependencies: [.package(name: "tokenward", path: Context.environment["TOKENWARD_PACKAGE"]!)],
    targets: [
        .executableTarget(name: "Consumer", dependencies: [.product(name: "Tokenward", package: "tokenward")])
    ]
)
