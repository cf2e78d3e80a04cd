-- The schema of load.sql for ClickHouse, for fleets whose results no longer fit on one machine. It has never been run:
-- only its syntax is checked here, by another program's parser. Try it on a copy of one day's results.
--
--   clickhouse client --multiquery <.../deploy/queries/clickhouse.sql
--   sed 's/#.*//' fleet | awk -v OFS='\t' 'NF { split($1, name, "="); print name[1], $2, $3 }' |
--       clickhouse client --query 'INSERT INTO getthrough.hosts FORMAT TSV'
--
-- The INSERTs read DIR, which the server finds as `getthrough` in its user_files_path. The minute and the host are in
-- the names of the files, so that INSERT ... FROM INFILE, which does not know them, does not do.

CREATE DATABASE IF NOT EXISTS getthrough;

CREATE TABLE IF NOT EXISTS getthrough.hosts
(
    host LowCardinality(String),
    rack LowCardinality(String),
    datacentre LowCardinality(String)
)
ENGINE = ReplacingMergeTree
ORDER BY host;

CREATE TABLE IF NOT EXISTS getthrough.plans
(
    minute DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    source LowCardinality(String),
    target LowCardinality(String),
    endpoint LowCardinality(String),
    service LowCardinality(String),
    expect LowCardinality(String),
    source_port UInt16
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(minute)
ORDER BY (source, endpoint, service, source_port, minute)
TTL minute + INTERVAL 30 DAY;

-- A row for each summary: what the matrix needs of it. A pair's rows lie beside each other, and differ little.
CREATE TABLE IF NOT EXISTS getthrough.summaries
(
    minute DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    host LowCardinality(String),
    target LowCardinality(String),
    protocol LowCardinality(String),
    first_port UInt16,
    sent UInt32 CODEC(T64, ZSTD(1)),
    ended UInt32 CODEC(T64, ZSTD(1)),
    failed UInt32 CODEC(T64, ZSTD(1)),
    lost UInt32 CODEC(T64, ZSTD(1)),
    lost_there Nullable(UInt32) CODEC(ZSTD(1)),
    lost_back Nullable(UInt32) CODEC(ZSTD(1)),
    verdicts Map(LowCardinality(String), UInt32) CODEC(ZSTD(1)),
    p50_ms Nullable(Float32) CODEC(ZSTD(1)),
    p99_ms Nullable(Float32) CODEC(ZSTD(1)),
    max_ms Nullable(Float32) CODEC(ZSTD(1)),
    counts Array(UInt32) CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(minute)
ORDER BY (host, target, protocol, first_port, minute)
TTL minute + INTERVAL 30 DAY;

INSERT INTO getthrough.plans
SELECT parseDateTimeBestEffort(replaceRegexpOne(_file, 'T(..)(..)Z', 'T\\1:\\2:00Z')), source, target, endpoint,
       service, expect, source_port
FROM file('getthrough/plans/*Z', 'CSV', '
    source String, target String, endpoint String, service String, expect String, source_port UInt16')
SETTINGS format_csv_delimiter = ' ';

INSERT INTO getthrough.summaries
SELECT parseDateTimeBestEffort(replaceRegexpOne(splitByChar('/', _path)[-2], 'T(..)(..)Z', 'T\\1:\\2:00Z')) AS minute,
       replaceRegexpOne(_file, '\\.ndjson$', '') AS host, target, protocol,
       if(empty(flows.port), 0, arrayMin(flows.port)) AS first_port, sent,
       arraySum(mapValues(verdicts)) - verdicts['local'] AS ended, failed, lost, lost_there, lost_back,
       mapFilter((verdict, number) -> number > 0, verdicts) AS verdicts,
       -- A success without the time of a reply is one of --connect: that, too, took one round trip.
       multiIf(reply_ms.max IS NOT NULL, reply_ms.p50, ok > 0, connect_ms.p50, NULL) AS p50_ms,
       multiIf(reply_ms.max IS NOT NULL, reply_ms.p99, ok > 0, connect_ms.p99, NULL) AS p99_ms,
       multiIf(reply_ms.max IS NOT NULL, reply_ms.max, ok > 0, connect_ms.max, NULL) AS max_ms,
       buckets.count AS counts
FROM file('getthrough/results/*/*.ndjson', 'JSONEachRow', '
    event String, protocol String, target String, sent UInt32, ok UInt32, failed UInt32, lost UInt32,
    lost_there Nullable(UInt32), lost_back Nullable(UInt32), verdicts Map(String, UInt32),
    reply_ms Tuple(p50 Nullable(Float32), p99 Nullable(Float32), max Nullable(Float32)),
    connect_ms Tuple(p50 Nullable(Float32), p99 Nullable(Float32), max Nullable(Float32)),
    flows Nested(port UInt16, sent UInt32, failed UInt32), buckets Nested(le_ms Nullable(Float64), count UInt32)')
WHERE event = 'summary'
SETTINGS input_format_skip_unknown_fields = 1, input_format_null_as_default = 1,
         input_format_allow_errors_num = 1000000, input_format_import_nested_json = 1;

-- The matrix: all minutes together. The buckets are added up, place by place, and give upper bounds of percentiles.
SELECT source, plans.target AS to_host, service, count() AS cells, countIf(ended = 0) AS without_a_result,
       sum(failed) AS failures, sum(ended) AS probes, round(100 * failures / nullIf(probes, 0), 3) AS failed_percent,
       sumForEach(counts) AS added,
       [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, inf] AS bounds,
       if(added[17] >= 2, bounds[arrayFirstIndex(c -> c * 1000 >= added[17] * 500, added)], NULL) AS p50_ms_at_most,
       if(added[17] >= 100, bounds[arrayFirstIndex(c -> c * 1000 >= added[17] * 990, added)], NULL) AS p99_ms_at_most
FROM getthrough.plans AS plans
LEFT JOIN getthrough.summaries AS summaries
    ON summaries.minute = plans.minute AND summaries.host = plans.source AND summaries.target = plans.endpoint
    AND summaries.protocol = if(startsWith(plans.service, 'udp/'), 'udp', 'tcp')
WHERE summaries.first_port = 0 OR summaries.first_port BETWEEN plans.source_port AND plans.source_port + 15
GROUP BY source, to_host, service
ORDER BY source, to_host, service;
