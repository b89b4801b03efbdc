package io.github.tokenward.jdbc

import io.github.tokenward.Neighbours
import io.github.tokenward.killings
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.TestFactory
import org.sqlite.SQLiteDataSource
import java.nio.file.Path

class SqliteTest : JdbcTokenStorageTest() {
    override val source get() = SQLiteDataSource().apply { url = create(folder) }

    @TestFactory
    fun `who is killed takes nobody's session along`(): List<DynamicTest> =
        killings(listOf("before-write-1"), timesAtAnyTime = 0, storiesAtOnce = 1) {
            Neighbours(mapOf("one" to -3, "two" to 0, "three" to 3)) { "${create(it)} session" }
        }

    private fun create(folder: Path): String {
        val url = "jdbc:sqlite:${folder.resolve("tokens.db")}"
        SQLiteDataSource().also { it.url = url }.connection.use {
            it.createStatement().execute("CREATE TABLE IF NOT EXISTS tokenward (name text PRIMARY KEY, item BLOB)")
        }
        return url
    }
}
