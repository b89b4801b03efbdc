package io.github.tokenward.android

import android.content.Context
import android.os.UserManager
import android.security.keystore.KeyGenParameterSpec
import android.security.keystore.KeyProperties
import io.github.tokenward.FileTokenStorage
import io.github.tokenward.StorageChange
import io.github.tokenward.StorageLockedException
import io.github.tokenward.TokenStorage
import java.io.File
import java.security.GeneralSecurityException
import java.security.KeyStore
import java.security.SecureRandom
import javax.crypto.Cipher
import javax.crypto.KeyGenerator
import javax.crypto.SecretKey
import javax.crypto.spec.GCMParameterSpec

/**
 * A file in `noBackupFilesDir`, which no backup carries to another device, encrypted by AES-GCM under a key that never
 * leaves the Android Keystore. What cannot be decrypted is as good as nothing: the user is signed out.
 *
 * @param name tells several managers of one app apart: one name for one provider, environment and subject.
 * @param isShared other processes of the app use it too.
 */
public class AndroidTokenStorage(context: Context, private val name: String, override val isShared: Boolean = false) :
    TokenStorage {
    private val users = checkNotNull(context.getSystemService(UserManager::class.java))
    private val folder by lazy { File(context.noBackupFilesDir, "tokenward").apply { mkdirs() } }
    private val state by lazy { encrypted("$name.state") }
    private val key by lazy { encrypted("$name.key") }

    init {
        require(NAME.matches(name)) { "a name has letters, digits, hyphens and underscores" }
    }

    /** The key of the seal, made at first use and kept beside the state, encrypted like it. */
    override fun sealKey(): ByteArray {
        lateinit var sealKey: ByteArray
        key.transact { current ->
            sealKey = current ?: ByteArray(SEAL_KEY_BYTES).also(SecureRandom()::nextBytes)
            if (current == null) StorageChange.Replace(sealKey) else StorageChange.Keep
        }
        return sealKey
    }

    override fun transact(body: (current: ByteArray?) -> StorageChange): Unit = state.transact(body)

    private fun encrypted(file: String): EncryptedFile {
        // Neither the folder nor the key is there before the first unlock.
        if (!users.isUserUnlocked) throw StorageLockedException("the device has not been unlocked since it started")
        return EncryptedFile(File(folder, file), isShared)
    }

    private companion object {
        val NAME = Regex("[A-Za-z0-9_-]+")
        const val SEAL_KEY_BYTES = 32
    }
}

/** One file under the key of the Keystore. */
private class EncryptedFile(private val file: File, isShared: Boolean) {
    // AES-GCM is the seal of this file: nothing else is asked to be.
    private val plain = FileTokenStorage(file.toPath(), ByteArray(UNUSED_KEY_BYTES), isShared)

    fun transact(body: (current: ByteArray?) -> StorageChange) = plain.transact { current ->
        val key = masterKey()
        when (val change = body(current?.let { decrypt(key, it) })) {
            is StorageChange.Replace -> StorageChange.Replace(encrypt(key, change.item))
            else -> change
        }
    }

    private fun encrypt(key: SecretKey, item: ByteArray): ByteArray {
        // The Keystore draws the initialisation vector.
        val cipher = Cipher.getInstance(TRANSFORMATION).apply { init(Cipher.ENCRYPT_MODE, key) }
        cipher.updateAAD(file.name.encodeToByteArray())
        return cipher.iv + cipher.doFinal(item)
    }

    private fun decrypt(key: SecretKey, item: ByteArray): ByteArray? = try {
        val cipher = Cipher.getInstance(TRANSFORMATION)
        cipher.init(Cipher.DECRYPT_MODE, key, GCMParameterSpec(TAG_BITS, item, 0, IV_BYTES))
        cipher.updateAAD(file.name.encodeToByteArray())
        cipher.doFinal(item, IV_BYTES, item.size - IV_BYTES)
    } catch (_: GeneralSecurityException) {
        null
    } catch (_: IllegalArgumentException) {
        // Shorter than a vector.
        null
    }

    private fun masterKey(): SecretKey {
        val store = KeyStore.getInstance(KEYSTORE).apply { load(null) }
        (store.getKey(ALIAS, null) as? SecretKey)?.let { return it }
        val purposes = KeyProperties.PURPOSE_ENCRYPT or KeyProperties.PURPOSE_DECRYPT
        val spec = KeyGenParameterSpec.Builder(ALIAS, purposes)
            .setBlockModes(KeyProperties.BLOCK_MODE_GCM)
            .setEncryptionPaddings(KeyProperties.ENCRYPTION_PADDING_NONE)
            .setKeySize(KEY_BITS)
            .build()
        return KeyGenerator.getInstance(KeyProperties.KEY_ALGORITHM_AES, KEYSTORE).apply { init(spec) }.generateKey()
    }

    private companion object {
        const val KEYSTORE = "AndroidKeyStore"
        const val ALIAS = "io.github.tokenward"
        const val TRANSFORMATION = "AES/GCM/NoPadding"
        const val KEY_BITS = 256
        const val IV_BYTES = 12
        const val TAG_BITS = 128
        const val UNUSED_KEY_BYTES = 32
    }
}
