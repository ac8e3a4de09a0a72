-- Where did the rows of the newest run go?
SELECT step, stage, rows_in, outcome, reason, rows
FROM funnel
WHERE run_id = (SELECT arg_max(run_id, started_at) FROM runs)
ORDER BY step, rows DESC, outcome, reason;

-- What was built, when, and with what outcome?
SELECT run_id, dataset, dataset_version AS version, status, finished_at - started_at AS took,
       len(from_json(inputs, '["JSON"]')) AS files
FROM runs
ORDER BY started_at DESC, run_id
LIMIT 10;

-- How are the problems spread over pass rates?
SELECT round(rate, 1) AS about, count(*) AS problems, sum(n)::BIGINT AS answers, bar(count(*), 0, 40, 20) AS picture
FROM pass_rate
WHERE rate IS NOT NULL
GROUP BY about
ORDER BY about;

-- Which problems were never solved, and how sure can one be that they are hard?
SELECT problem_id, policy, n, wilson_high AS could_still_be
FROM pass_rate
WHERE c = 0 AND n > 0
ORDER BY could_still_be, problem_id
LIMIT 10;

-- What is pass@k of each policy, over all problems with enough answers?
SELECT policy, policy_revision, count(*) AS problems, avg(pass_at_1) AS pass_at_1, avg(pass_at_8) AS pass_at_8,
       count(pass_at_64) AS with_64, avg(pass_at_64) AS pass_at_64
FROM pass_rate
GROUP BY policy, policy_revision
ORDER BY policy, policy_revision;

-- Why were problems dropped, with the evidence of one of each kind?
SELECT stage, reason, count(DISTINCT record_id) AS problems, min_by(record_id, record_id) AS example,
       min_by(measured, record_id) AS measured, min_by(threshold, record_id) AS threshold
FROM decisions
WHERE verdict = 'drop'
GROUP BY stage, reason
ORDER BY problems DESC, stage, reason;

-- Which labels or tests should a person look at?
SELECT reason, count(*) AS problems, min(problem_id) AS example
FROM suspects
GROUP BY reason
ORDER BY problems DESC, reason;

-- How strong are the tests: what share of mutants of the reference do they refuse?
SELECT CASE WHEN mutants IS NULL OR mutants = 0 THEN 'not measured'
            ELSE format('{:.1f}+', floor(10 * mutants_killed / mutants) / 10) END AS killed,
       count(*) AS problems, round(avg(n_tests), 1) AS tests
FROM test_quality
GROUP BY killed
ORDER BY killed;

-- Where do the published rows come from, under which licence, in which phase?
SELECT curriculum, phase, source, license, count(*) AS rows, round(avg(c / n), 3) AS mean_rate
FROM {dataset}
GROUP BY curriculum, phase, source, license
ORDER BY curriculum, phase, source, license;

-- Which source rows could not become problems, and why?
SELECT source, reason, count(*) AS rows, min(file || ':' || line) AS first_at
FROM rejections
GROUP BY source, reason
ORDER BY rows DESC, source, reason;
