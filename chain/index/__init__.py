"""The record of a deployment in SQL: every event of its contracts, and their views, kept up with the chain.

- `database.Database`: a SQLite file or a PostgreSQL database; `store.Store`: the tables in it
- `sync.synchronise(store, sync.Reader(contracts))` brings them up to the chain's latest block
- `queries.IndexRecord` answers from them what `record.ChainRecord` asks the contracts
- `schema`: the tables, derived from the ABIs; `numbers`, `columns`: how values are kept exactly
"""
