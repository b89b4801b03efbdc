package io.github.tokenward

import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.TestFactory
import java.nio.file.Path

/** Two apps and an extension whose clocks are three seconds apart, on one file. */
class NeighbourTest {
    @TestFactory
    fun `who is killed takes nobody's session along`(): List<DynamicTest> =
        killings(POINTS, timesAtAnyTime = 2, storiesAtOnce = 6) {
            Neighbours(mapOf("app" to -3, "extension" to 0, "other-app" to 3)) { "${it.resolve("token")}" }
        }
}

fun storageAt(place: String): TokenStorage = FileTokenStorage(Path.of(place), ByteArray(32) { 7 }, isShared = true)
