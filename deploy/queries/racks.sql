-- The matrix of a large fleet: a row for each pair of racks and service. For one minute:
-- SET VARIABLE minute = '2026-11-27T0831Z'; before it. How to run it is in the head of load.sql.
SELECT source_rack, target_rack, service, count(*) AS cells, count(*) - count(failed) AS without_a_result,
       count_if(failed > 0) AS not_as_the_policy_says,
       percent(sum(failed), sum(ended)) AS failed_percent, percent(sum(lost), sum(ended)) AS loss_percent,
       at_most(added(counts), 500) AS p50_ms_at_most, at_most(added(counts), 990) AS p99_ms_at_most
FROM cells
WHERE minute = coalesce(getvariable('minute'), minute)
GROUP BY ALL
ORDER BY source_rack, target_rack, service;
