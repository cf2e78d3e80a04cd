-- Which hosts could not be visited, how often, and why; and what programs the others ran. It reads the files of visits,
-- which scripts/mesh writes, and nothing that load.sql has loaded.
--
--   cd DIR && duckdb <.../deploy/queries/visits.sql
SELECT host, state, "by", reason, version, count(*) AS minutes, min(parse_filename(filename, true)) AS first,
       max(parse_filename(filename, true)) AS last
FROM read_json('visits/*.ndjson', format = 'newline_delimited', ignore_errors = true, filename = true, columns = {
    host: 'VARCHAR', state: 'VARCHAR', "by": 'VARCHAR', reason: 'VARCHAR', version: 'VARCHAR'})
GROUP BY host, state, "by", reason, version
ORDER BY (state = 'ok'), host, first;
