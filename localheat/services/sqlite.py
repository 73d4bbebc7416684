# SPDX-License-Identifier: Apache-2.0
"""SQLite under services that were written for a database server."""

import re
import sqlite3

from localheat.errors import LocalHeatError


def share_among_threads() -> None:
    """Make every SQLAlchemy connection of this process fit for concurrent writers.

    oslo.db begins transactions lazily: two threads that read first and write later wait for each
    other, and SQLite fails one at once with "database is locked", whatever the timeout. Here each
    transaction takes the write lock when it begins.
    """
    from oslo_db.sqlalchemy import engines
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    # It sleeps whenever a connection returns to the pool, which costs much on a busy machine.
    engines._thread_yield = lambda connection, record: None

    @event.listens_for(Engine, 'connect')
    def configure(connection, record):
        connection.execute('PRAGMA journal_mode=WAL')
        # a cloud that lives on after a power failure is not wanted
        connection.execute('PRAGMA synchronous=OFF')

    @event.listens_for(Engine, 'before_cursor_execute', retval=True)
    def begin(connection, cursor, statement, parameters, context, executemany):
        return 'BEGIN IMMEDIATE' if statement == 'BEGIN' else statement, parameters


def never_reuse_ids(path: str) -> None:
    """Number the rows of a new database's tables so that no number comes twice.

    SQLite gives a deleted last row's number to the next one. Heat deletes rows by numbers that it
    remembers, so it deletes a new row, and the stack stays in UPDATE_IN_PROGRESS for ever.

    :param path: a database without rows
    """
    database = sqlite3.connect(path)
    try:
        tables = database.execute(
            'SELECT name, sql FROM sqlite_master'
            " WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        ).fetchall()
        for name, sql in tables:
            numbered, count = re.subn(
                r'\bid INTEGER NOT NULL', 'id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL', sql
            )
            if not count:
                continue
            numbered = re.sub(r',\s*(CONSTRAINT \w+ )?PRIMARY KEY \(id\)', '', numbered)
            if database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]:
                raise LocalHeatError(f'{path}: table {name} is not empty')
            indexes = database.execute(
                'SELECT sql FROM sqlite_master'
                " WHERE tbl_name = ? AND type = 'index' AND sql IS NOT NULL",
                (name,),
            ).fetchall()
            database.execute(f'DROP TABLE "{name}"')
            database.execute(numbered)
            for (index,) in indexes:
                database.execute(index)
        database.commit()
    finally:
        database.close()
