package io.github.tokenward.android

import android.content.Context
import android.os.UserManager
import android.security.keystore.KeyGenParameterSpec
import android.security.keystore.KeyPermanentlyInvalidatedException
import android.security.keystore.KeyProperties
import io.github.tokenward.FileTokenStorage
import io.github.tokenward.StorageAccess
import io.github.tokenward.StorageLockedException
import io.github.tokenward.TokenStorage
import java.io.File
import java.io.IOException
import java.security.KeyStore
import javax.crypto.AEADBadTagException
import javax.crypto.Cipher
import javax.crypto.KeyGenerator
import javax.crypto.SecretKey
import javax.crypto.spec.GCMParameterSpec

/**
 * A file in `noBackupFilesDir`, which no backup carries to another device, encrypted by AES-GCM under a key that never
 * leaves the Android Keystore. What is damaged, or was encrypted under a key that is gone for good, is lost: a manager says
 * `damaged` where it has no other way to a token. Gone for good is a key that Android has invalidated, or has not found for a
 * day. Whatever else the Keystore fails at passes: what is stored stays as it is, and the manager tries again.
 *
 * @param name tells several managers of one app apart: one name for one provider, environment and subject.
 * @param isShared other processes of the app use it too.
 */
public class AndroidTokenStorage(context: Context, private val name: String, override val isShared: Boolean = false) :
    TokenStorage {
    private val users = checkNotNull(context.getSystemService(UserManager::class.java))
    private val state by lazy { EncryptedFile(File(folder(context), "$name.state"), isShared) }

    init {
        require(NAME.matches(name)) { "a name has letters, digits, hyphens and underscores" }
    }

    override fun sealKey(): ByteArray = NO_SECRET.copyOf()

    override fun locked(body: (StorageAccess) -> Unit): Unit = state.locked(body)

    /** Equal to another of the same name. */
    override fun equals(other: Any?): Boolean = other is AndroidTokenStorage && other.name == name

    override fun hashCode(): Int = name.hashCode()

    /** Neither the folder nor the key is there before the first unlock. */
    private fun folder(context: Context): File {
        if (!users.isUserUnlocked) throw StorageLockedException("the device has not been unlocked since it started")
        return File(context.noBackupFilesDir, "tokenward").apply { mkdirs() }
    }

    private companion object {
        val NAME = Regex("[A-Za-z0-9_-]+")
    }
}

/** AES-GCM under the key of the Keystore is the seal. */
private val NO_SECRET = ALIAS.encodeToByteArray().copyOf(32)

/** One file under the key of the Keystore. */
private class EncryptedFile(private val file: File, isShared: Boolean) {
    // AES-GCM is the seal of this file: nothing else is asked to be.
    private val plain = FileTokenStorage(file.toPath(), NO_SECRET, isShared)
    private val masterKey = MasterKey(file.parentFile)

    fun locked(body: (StorageAccess) -> Unit) = plain.locked { access ->
        val key = masterKey.get()
        body(
            object : StorageAccess {
                override fun read() = access.read()?.let { decrypt(key, it) }

                override fun write(item: ByteArray) = access.write(encrypt(key, item))
            },
        )
    }

    private fun encrypt(key: SecretKey, item: ByteArray): ByteArray {
        val cipher = try {
            encrypting(key)
        } catch (_: KeyPermanentlyInvalidatedException) {
            encrypting(masterKey.inPlaceOfInvalidated())
        }
        cipher.updateAAD(file.name.encodeToByteArray())
        return cipher.iv + cipher.doFinal(item)
    }

    /** No byte, which no snapshot is, for what nobody can decrypt any more. Any other failure may be the Keystore's, and pass. */
    private fun decrypt(key: SecretKey, item: ByteArray): ByteArray = try {
        if (item.size < IV_BYTES + TAG_BITS / Byte.SIZE_BITS) throw AEADBadTagException("too short for a vector and a tag")
        val cipher = Cipher.getInstance(TRANSFORMATION)
        cipher.init(Cipher.DECRYPT_MODE, key, GCMParameterSpec(TAG_BITS, item, 0, IV_BYTES))
        cipher.updateAAD(file.name.encodeToByteArray())
        cipher.doFinal(item, IV_BYTES, item.size - IV_BYTES)
    } catch (_: AEADBadTagException) {
        ByteArray(0)
    } catch (_: KeyPermanentlyInvalidatedException) {
        ByteArray(0)
    }

    private companion object {
        const val IV_BYTES = 12
        const val TAG_BITS = 128
    }
}

/** The Keystore draws the initialisation vector. */
private fun encrypting(key: SecretKey) = Cipher.getInstance(TRANSFORMATION).apply { init(Cipher.ENCRYPT_MODE, key) }

private const val TRANSFORMATION = "AES/GCM/NoPadding"
private const val ALIAS = "io.github.tokenward"

/** The key of all files in [folder]: one lock over threads and processes is held while it is looked for and made. */
private class MasterKey(private val folder: File) {
    /** Since when the Keystore has not found the key, if so; else nothing, or no byte. */
    private val missed = FileTokenStorage(File(folder, ALIAS).toPath(), NO_SECRET)

    /** A key that is not found may be back in a moment: while there are files, no other takes its place before a day is over. */
    fun get(): SecretKey {
        var key: SecretKey? = null
        missed.locked { access ->
            val now = System.currentTimeMillis()
            val noted = access.read()?.takeIf { it.isNotEmpty() }
            val since = noted?.decodeToString()?.toLongOrNull()?.takeIf { it <= now }
            val isGone = since != null && now - since >= GONE_AFTER_MS
            key = found() ?: if (isUnused() || isGone) made() else null
            if (key != null && noted != null) access.write(ByteArray(0))
            if (key == null && since == null) access.write("$now".encodeToByteArray())
        }
        return key ?: throw IOException("the Keystore does not find the key of what is stored")
    }

    fun inPlaceOfInvalidated(): SecretKey {
        lateinit var key: SecretKey
        missed.locked { key = found()?.takeUnless(::isInvalidated) ?: made() }
        return key
    }

    private fun isInvalidated(key: SecretKey) = try {
        encrypting(key)
        false
    } catch (_: KeyPermanentlyInvalidatedException) {
        true
    }

    private fun isUnused() = checkNotNull(folder.list()) { "the folder cannot be read" }.none { it.endsWith(".state") }

    private fun found() = KeyStore.getInstance(KEYSTORE).apply { load(null) }.getKey(ALIAS, null) as SecretKey?

    private fun made(): SecretKey {
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
        const val KEY_BITS = 256
        const val GONE_AFTER_MS = 24 * 3600 * 1000L
    }
}
