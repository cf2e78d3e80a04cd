-- The time line: a row for each minute and service, the oldest first. How to run it is in the head of load.sql.
--
-- To see one host's: WHERE 'NAME' IN (source, target), between FROM and GROUP BY.
SELECT minute, service, count(DISTINCT source) FILTER (failed IS NOT NULL) AS hosts_with_results, count(*) AS cells,
       count(*) - count(failed) AS without_a_result, count_if(failed > 0) AS not_as_the_policy_says,
       percent(sum(failed), sum(ended)) AS failed_percent, percent(sum(lost), sum(ended)) AS loss_percent,
       at_most(added(counts), 500) AS p50_ms_at_most, at_most(added(counts), 990) AS p99_ms_at_most
FROM cells
GROUP BY ALL
ORDER BY minute, service;
