-- The matrix: a row for each pair and service, of all minutes that load.sql has loaded together. For one minute:
-- SET VARIABLE minute = '2026-11-27T0831Z'; before it. How to run it is in the head of load.sql.
--
-- Counts are added up. So are the buckets, which give upper bounds of percentiles: those cannot be added up. The exact
-- ones of a summary are there where a row is of one minute alone.
SELECT source, target, service, count(*) AS cells, count(*) - count(failed) AS without_a_result,
       -- Of the minute in which most failed.
       arg_max(verdict, failed / ended) AS worst_verdict,
       percent(sum(failed), sum(ended)) AS failed_percent, percent(sum(lost), sum(ended)) AS loss_percent,
       known(lost_there, lost) AS lost_there, known(lost_back, lost) AS lost_back,
       if(count(*) = 1, max(p50_ms), NULL) AS p50_ms, if(count(*) = 1, max(p99_ms), NULL) AS p99_ms,
       at_most(added(counts), 500) AS p50_ms_at_most, at_most(added(counts), 990) AS p99_ms_at_most,
       max(max_ms) AS max_ms
FROM cells
WHERE minute = coalesce(getvariable('minute'), minute)
GROUP BY ALL
ORDER BY source, target, service;
