#if canImport(Security)
    public import Foundation
    internal import Security

    /// Keeps the state in the Keychain: on this device alone, readable once it was unlocked after a start.
    ///
    /// The Keychain survives the deletion of the app: call ``TokenKeeper/signOut()`` at the first start if an old
    /// session must not come back. An item from before the app shared it is moved into the group when it is first read there.
    public final class KeychainTokenStorage: TokenStorage, PlacedStorage {
        /// What an app and its extensions have in common.
        public struct Sharing: Sendable {
            /// The Keychain access group.
            public var accessGroup: String
            /// A file in the container of the app group: the Keychain has no lock, so one is held on this.
            public var lockFile: URL

            public init(accessGroup: String, lockFile: URL) {
                self.accessGroup = accessGroup
                self.lockFile = lockFile
            }
        }

        private let service: String
        private let account: String
        private let sharing: Sharing?
        private let queue = DispatchQueue(label: "tokenward.keychain-storage")

        /// - Parameters:
        ///   - service: The app's name for its tokens.
        ///   - account: Tells managers apart: provider, environment and subject.
        ///   - sharing: An extension uses the same item.
        public init(service: String, account: String, sharing: Sharing? = nil) {
            self.service = service
            self.account = account
            self.sharing = sharing
        }

        public var isShared: Bool { sharing != nil }

        var place: String { "keychain \([sharing?.accessGroup ?? "", service, account])" }

        public func sealKey() async throws -> Data {
            try await held { [self] in
                if let key = try read(account + ".seal") { return key }
                let key = randomKey()
                try write(account + ".seal", key)
                return key
            }
        }

        public func locked(_ body: @escaping @Sendable (StorageAccess) -> Void) async throws {
            try await held { [self] in
                body(StorageAccess(read: { try self.read(self.account) }, write: { try self.write(self.account, $0) }))
            }
        }

        private func held<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
            try await withCheckedThrowingContinuation { (done: CheckedContinuation<T, any Error>) in
                queue.async { [sharing] in
                    done.resume(
                        with: Result {
                            guard let sharing else { return try body() }
                            return try FileLock.hold(sharing.lockFile.path, body)
                        })
                }
            }
        }

        private func item(_ account: String) -> [CFString: Any] {
            var query: [CFString: Any] = [
                kSecClass: kSecClassGenericPassword,
                kSecAttrService: service,
                kSecAttrAccount: account,
                kSecUseDataProtectionKeychain: true,
            ]
            query[kSecAttrAccessGroup] = sharing?.accessGroup
            return query
        }

        private func read(_ account: String) throws -> Data? {
            if let bytes = try found(item(account))?[kSecValueData] as? Data { return bytes }
            return try sharing.flatMap { _ in try moved(account) }
        }

        /// From before the app had the group: without a group all of the app's are searched.
        private func moved(_ account: String) throws -> Data? {
            var query = item(account)
            query[kSecAttrAccessGroup] = nil
            guard let old = try found(query), let bytes = old[kSecValueData] as? Data, let group = old[kSecAttrAccessGroup]
            else { return nil }
            try write(account, bytes)
            query[kSecAttrAccessGroup] = group
            SecItemDelete(query as CFDictionary)
            return bytes
        }

        private func found(_ item: [CFString: Any]) throws -> [CFString: Any]? {
            var query = item
            (query[kSecReturnData], query[kSecReturnAttributes]) = (true, true)
            var found: CFTypeRef?
            switch SecItemCopyMatching(query as CFDictionary, &found) {
            case errSecSuccess: return found as? [CFString: Any]
            case errSecItemNotFound: return nil
            case let status: throw failure(status)
            }
        }

        private func write(_ account: String, _ bytes: Data) throws {
            let values: [CFString: Any] = [
                kSecValueData: bytes, kSecAttrAccessible: kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly,
            ]
            var status = SecItemUpdate(item(account) as CFDictionary, values as CFDictionary)
            if status == errSecItemNotFound {
                status = SecItemAdd(item(account).merging(values) { $1 } as CFDictionary, nil)
            }
            guard status == errSecSuccess else { throw failure(status) }
        }

        /// Locked is not "not found": the token is there, and will be readable.
        private func failure(_ status: OSStatus) -> TokenwardError {
            let locked = status == errSecInteractionNotAllowed
            return .storage(
                code: locked ? "storage_locked" : "storage_failed",
                underlying: NSError(domain: NSOSStatusErrorDomain, code: Int(status)))
        }
    }
#endif
