-- The worst 50 pairs of all minutes: those of whose probes the greatest share failed, and then those without a result.
-- How to run it is in the head of load.sql.
SELECT source, source_rack, target, target_rack, service, count(*) AS cells,
       count_if(failed > 0) AS not_as_the_policy_says, count(*) - count(failed) AS without_a_result,
       arg_max(verdict, failed / ended) AS worst_verdict, percent(sum(failed), sum(ended)) AS failed_percent,
       known(lost_there, lost) AS lost_there, known(lost_back, lost) AS lost_back,
       max(minute) FILTER (failed > 0) AS last_failed
FROM cells
GROUP BY ALL
HAVING sum(failed) > 0 OR count(failed) < count(*)
ORDER BY failed_percent DESC NULLS LAST, without_a_result DESC, source, target, service
LIMIT 50;
