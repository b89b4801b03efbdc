package io.github.tokenward

import io.github.tokenward.jdbc.JdbcTokenStorage
import org.postgresql.ds.PGSimpleDataSource
import org.sqlite.SQLiteDataSource

/** `POSTGRESQL_URL ROW` or `SQLITE_URL ROW`. */
fun storageAt(place: String): TokenStorage {
    val (url, row) = place.split(' ')
    val source = if (url.startsWith("jdbc:sqlite:")) SQLiteDataSource() else PGSimpleDataSource().apply { loginTimeout = 5 }
    when (source) {
        is SQLiteDataSource -> source.url = url
        is PGSimpleDataSource -> source.setURL(url)
    }
    return JdbcTokenStorage(source, row, ByteArray(32) { 7 })
}
