package io.github.tokenward.android

import android.app.Activity
import android.content.Context
import android.content.Intent
import android.net.Uri
import android.os.Bundle
import android.util.Log
import io.github.tokenward.AuthorizationRequest
import io.github.tokenward.TokenManager
import io.github.tokenward.TokenStorage
import io.github.tokenward.TokenwardException
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.launch
import java.util.concurrent.ConcurrentHashMap

/**
 * Has a person sign in in the browser of the device, which comes back by a [RedirectActivity] of the app's manifest. Waits for as
 * long as the caller does.
 *
 * @param redirectUri of a scheme of the app's own, or an `https` one that Android has verified as the app's.
 * @param pending keeps the sign-in where Android ends the process meanwhile: [RedirectActivity.resume].
 * @param open opens the browser; a Custom Tab takes `FLAG_ACTIVITY_NO_HISTORY`.
 * @throws android.content.ActivityNotFoundException there is no browser.
 * @throws io.github.tokenward.TokenwardException as [TokenManager.signIn] says.
 */
public suspend fun TokenManager.signInByIntent(
    context: Context,
    redirectUri: String,
    pending: TokenStorage? = null,
    open: (Uri) -> Unit = { context.startActivity(Intent(Intent.ACTION_VIEW, it).addFlags(Intent.FLAG_ACTIVITY_NEW_TASK)) },
): Unit = signIn(redirectUri, pending) { request ->
    val callback = CompletableDeferred<String>()
    waiting[request] = callback
    try {
        open(Uri.parse(request.url))
        callback.await()
    } finally {
        waiting -= request
    }
}

/**
 * Takes the callback of a sign-in, and goes. Anybody may start it: a callback that is not of this sign-in changes nothing.
 *
 * ```xml
 * <activity android:name=".SignInActivity" android:exported="true" android:theme="@android:style/Theme.NoDisplay">
 *   <intent-filter>
 *     <action android:name="android.intent.action.VIEW" />
 *     <category android:name="android.intent.category.DEFAULT" />
 *     <category android:name="android.intent.category.BROWSABLE" />
 *     <data android:scheme="com.example.app" />
 *   </intent-filter>
 * </activity>
 * ```
 */
public abstract class RedirectActivity : Activity() {
    /**
     * Nobody of this process waits for [callback]: hand it to [TokenManager.resumeSignIn]. What that refuses is nobody's business:
     * anybody may have made it up.
     */
    protected abstract suspend fun resume(callback: String)

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        intent.dataString?.let { callback ->
            val whoWaits = waiting.entries.firstOrNull { (request, _) -> request.isAnswered(by = callback) }
            whoWaits?.value?.complete(callback) ?: late(callback)
        }
        // Back to what is on top of the app.
        packageManager.getLaunchIntentForPackage(packageName)?.let(::startActivity)
        finish()
    }

    /** Goes on when this has gone. */
    private fun late(callback: String) = CoroutineScope(Dispatchers.Default).launch {
        try {
            resume(callback)
        } catch (refused: TokenwardException) {
            Log.i("tokenward", "callback refused: ${refused.code}")
        }
    }
}

/** Who waits for a callback in this process. */
private val waiting = ConcurrentHashMap<AuthorizationRequest, CompletableDeferred<String>>()
