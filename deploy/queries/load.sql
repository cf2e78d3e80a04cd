-- Loads the results of a fleet into tables, for DuckDB, in the directory that scripts/mesh --out filled:
--
--   cd DIR && duckdb mesh.db <.../deploy/queries/load.sql
--
-- or, with Python and `pip install duckdb` instead of the command:
--
--   cd DIR && python3 -c 'import duckdb, sys; db = duckdb.connect("mesh.db")
--   for name in sys.argv[1:]: db.sql(open(name).read()).show(max_rows=1000, max_width=250)' .../queries/load.sql
--
-- The other queries are run in the same way, after this one, on the tables that it leaves in mesh.db. Each run of this
-- one loads all anew. Tried with DuckDB 2.0.1; it takes lambda functions, of 1.3 or later.
--
-- A summary belongs to the line of the plan with the same minute, host, target and protocol and, if a target is planned
-- several times, source port. IPv6 addresses in the fleet have to be as the clients print them: ::1, not 0:0::1.

-- How many replies took at most so many milliseconds can be added up over cells, hosts and minutes. Percentiles cannot:
-- the mean of two of them is nobody's percentile. So those of several cells are upper bounds that the buckets give.
CREATE OR REPLACE MACRO bounds() AS
    [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 'inf'::DOUBLE];

-- The buckets of several summaries, added up.
CREATE OR REPLACE MACRO added(counts) AS
    [sum(counts[1]), sum(counts[2]), sum(counts[3]), sum(counts[4]), sum(counts[5]), sum(counts[6]), sum(counts[7]),
     sum(counts[8]), sum(counts[9]), sum(counts[10]), sum(counts[11]), sum(counts[12]), sum(counts[13]),
     sum(counts[14]), sum(counts[15]), sum(counts[16]), sum(counts[17])];

-- What so many of a thousand replies did not exceed (infinity: longer than any bound). NULL if there are too few.
CREATE OR REPLACE MACRO at_most(counts, thousandths) AS CASE
    WHEN counts[17] * (1000 - thousandths) >= 1000
    THEN bounds()[list_position(list_transform(counts, lambda count: count * 1000 >= counts[17] * thousandths), true)]
END;

-- A share in percent, rounded up to a thousandth, as in a summary: some of it is not none.
CREATE OR REPLACE MACRO percent(part, whole) AS ceil(100000.0::DOUBLE * part / nullif(whole, 0)) / 1000;

-- How many were lost in one direction, if that is known of all that were lost.
CREATE OR REPLACE MACRO known(part, lost) AS if(count_if(lost > 0 AND part IS NULL) = 0, sum(part), NULL);

CREATE OR REPLACE TABLE hosts AS
WITH lines AS (
    SELECT string_split_regex(trim(regexp_replace(line, '(^|\s)#.*', '')), '\s+') AS words
    FROM (SELECT unnest(string_split(content, chr(10))) AS line FROM read_text('fleet'))
)
SELECT string_split(words[1], '=')[1] AS host, words[2] AS rack, words[3] AS datacentre,
       coalesce(datacentre || '/', '') || coalesce(rack, host) AS place
FROM lines WHERE words[1] <> '';

CREATE OR REPLACE TABLE plans AS
SELECT row_number() OVER () AS number, parse_filename(filename) AS minute, *,
       if(service LIKE 'udp/%', 'udp', 'tcp') AS protocol,
       -- Whether the target alone says which protocol it was, and whether the protocol says which line.
       min(service) OVER same_target = max(service) OVER same_target AS is_one_service,
       count(*) OVER same_protocol = 1 AS is_once
FROM read_csv('plans/*Z', delim = ' ', header = false, quote = '', escape = '', filename = true, columns = {
    source: 'VARCHAR', target: 'VARCHAR', endpoint: 'VARCHAR', service: 'VARCHAR', expect: 'VARCHAR',
    source_port: 'INTEGER'})
WINDOW same_target AS (PARTITION BY filename, source, endpoint),
       same_protocol AS (PARTITION BY filename, source, endpoint, service LIKE 'udp/%');

-- Columns are named here, so that none is missing if no file has it. A line that is no JSON has no event, and is kept
-- so that it can be counted. `ended` are the probes that came to an end on the network.
CREATE OR REPLACE TABLE summaries AS
SELECT parse_path(filename)[-2] AS minute, parse_filename(filename, true) AS host, event IS NULL AS is_broken,
       protocol, target, sent, failed, lost, lost_there, lost_back, verdicts,
       list_sum(map_values(verdicts)) - coalesce(verdicts['local'], 0) AS ended,
       -- A success without the time of a reply is one of --connect: that, too, took one round trip.
       coalesce(reply_ms, if(ok > 0, connect_ms, NULL)) AS times,
       [bucket.count FOR bucket IN buckets] AS counts,
       list_min([flow.port FOR flow IN flows]) AS first_port
FROM read_json('results/*/*.ndjson', format = 'newline_delimited', ignore_errors = true, filename = true, columns = {
    event: 'VARCHAR', protocol: 'VARCHAR', target: 'VARCHAR', sent: 'UBIGINT', ok: 'UBIGINT', failed: 'UBIGINT',
    lost: 'UBIGINT', lost_there: 'UBIGINT', lost_back: 'UBIGINT', verdicts: 'MAP(VARCHAR, UBIGINT)',
    reply_ms: 'STRUCT(p50 DOUBLE, p99 DOUBLE, "max" DOUBLE)',
    connect_ms: 'STRUCT(p50 DOUBLE, p99 DOUBLE, "max" DOUBLE)',
    flows: 'STRUCT(port INTEGER)[]', buckets: 'STRUCT(count UBIGINT)[]'})
WHERE event = 'summary' OR event IS NULL;

-- A row for each line of the plan. Where no probe came to an end, the figures are NULL; without a summary,
-- `line` is, too. Of two summaries of a line, the first counts.
CREATE OR REPLACE TABLE cells AS
SELECT plans.minute, source, plans.target, service, expect, summaries.rowid AS line,
       coalesce(from_host.place, source) AS source_rack, coalesce(to_host.place, plans.target) AS target_rack,
       ended, sent, if(ended > 0, failed, NULL) AS failed, if(sent > 0, lost, NULL) AS lost, lost_there, lost_back,
       times.p50 AS p50_ms, times.p99 AS p99_ms, times.max AS max_ms, verdicts, counts,
       -- The most frequent verdict of the probes that failed; if none failed, of all.
       if(ended > 0, list_max([{n: entry.value, before: -nth, word: entry.key} FOR entry, nth IN map_entries(verdicts)
           IF entry.value > 0 AND NOT (failed > 0 AND list_contains(string_split(expect, ','), entry.key))
       ]).word, NULL) AS verdict
FROM plans
LEFT JOIN hosts AS from_host ON from_host.host = source
LEFT JOIN hosts AS to_host ON to_host.host = plans.target
LEFT JOIN summaries ON summaries.minute = plans.minute AND summaries.host = source AND summaries.target = endpoint
    AND (summaries.protocol = plans.protocol OR summaries.protocol IS NULL AND is_one_service)
    AND (is_once OR first_port BETWEEN source_port AND source_port + 15)
QUALIFY row_number() OVER (PARTITION BY number ORDER BY summaries.rowid) = 1;

-- Nothing is left out unsaid.
SELECT (SELECT count(*) FROM cells) AS cells,
       (SELECT count(*) FROM cells WHERE failed > 0) AS not_as_the_policy_says,
       (SELECT count(*) FROM cells WHERE failed IS NULL) AS without_a_result,
       (SELECT count(*) FROM summaries WHERE is_broken) AS broken_lines,
       (SELECT count(*) FROM summaries WHERE NOT is_broken) - (SELECT count(line) FROM cells) AS summaries_of_no_cell;
