"""`fediomt bench index`: how fast the index answers with a million rows."""

from __future__ import annotations

from typing import Annotated

import typer

from benchmarks.index import index_table, measure_index
from scripts.console.options import Json
from scripts.console.output import console, print_json, print_table


def index(
    rows: Annotated[int, typer.Option(help="Claims that are indexed.", min=4_000)] = 1_000_000,
    queries: Annotated[int, typer.Option(help="Questions of each kind.", min=10)] = 200,
    as_json: Json = False,
) -> None:
    """A hospital's and a device's history out of an index of a million claims, in SQLite and PostgreSQL.

    PostgreSQL is measured where FEDIOMT_BENCH_POSTGRES_URL names one, in a schema that goes afterwards.
    """
    with console(quiet=as_json).status("measuring") as status:
        figures = measure_index(rows=rows, queries=queries, say=status.update)
    if as_json:
        print_json([item.to_json() for item in figures])
        return
    table = index_table(figures)
    print_table(table.title, table.columns, table.rows)
    for note in table.notes:
        console().print(note)
