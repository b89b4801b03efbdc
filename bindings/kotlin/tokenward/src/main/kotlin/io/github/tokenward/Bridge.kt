package io.github.tokenward

import io.github.tokenward.bridge.CoreException
import io.github.tokenward.bridge.errorSentence
import io.github.tokenward.bridge.version
import kotlin.time.Duration

/** The version of this package; the native library must have the same. */
internal const val VERSION = "0.1.0"

private val isChecked: Unit by lazy { checkLibrary(::version) }

/** Whoever describes a service or makes a manager comes by here first. */
internal fun checkLibrary(): Unit = isChecked

/** Refuses a native library that is missing or of another version. */
internal fun checkLibrary(version: () -> String) {
    val found = try {
        version()
    } catch (missing: LinkageError) {
        throw TokenwardException.IncompatibleLibrary(VERSION, null, missing)
    } catch (differs: RuntimeException) {
        // It was made by another uniffi.
        throw TokenwardException.IncompatibleLibrary(VERSION, null, differs)
    }
    if (found != VERSION) throw TokenwardException.IncompatibleLibrary(VERSION, found, null)
}

/** Calls the core; what it refuses becomes an exception of this package. */
internal inline fun <T> bridged(call: () -> T): T = try {
    call()
} catch (refused: CoreException) {
    throw refused.typed()
}

internal fun CoreException.typed(): TokenwardException = when (this) {
    is CoreException.NotAllowed ->
        if (code == "server_only") TokenwardException.Configuration(code) else TokenwardException.NotAllowed(code)
    // A URL that the caller gave.
    is CoreException.Input if code == "bad_url" -> TokenwardException.NotAllowed(code)
    is CoreException.Input if code == "invalid_provider" || code == "invalid_argument" ->
        TokenwardException.Configuration(code, fact)
    is CoreException.Input, is CoreException.Capacity -> TokenwardException.BadAnswer(code)
    is CoreException.State ->
        if (code == "not_usable") TokenwardException.TemporarilyUnavailable(null) else TokenwardException.Configuration(code)
    is CoreException.Internal -> TokenwardException.Internal(code)
}

internal val CoreException.code: String
    get() = when (this) {
        is CoreException.Input -> code
        is CoreException.Capacity -> code
        is CoreException.State -> code
        is CoreException.NotAllowed -> code
        is CoreException.Internal -> code
    }

/** What a person should do about an error code or a reason; the code itself in a test without the native library. */
internal fun sentence(code: String): String = try {
    errorSentence(code)
} catch (_: LinkageError) {
    code
} catch (_: CoreException.Input) {
    // The service's own word, which may hold anything.
    "Sign in again: the service or the person has said no."
}

internal fun Duration.wholeSeconds(): ULong =
    if (this >= Duration.ZERO) inWholeSeconds.toULong() else throw TokenwardException.Configuration("invalid_argument")
