-- Views over the books. Estimators are macros, so that any query may use them over its own counts.

CREATE MACRO wilson_low(c, n) AS
  CASE WHEN n > 0 THEN greatest(0, (c / n + 1.92072941034706 / n
    - 1.95996398454005 * sqrt(c / n * (1 - c / n) / n + 0.96036470517353 / (n * n))) / (1 + 3.84145882069412 / n)) END;

CREATE MACRO wilson_high(c, n) AS
  CASE WHEN n > 0 THEN least(1, (c / n + 1.92072941034706 / n
    + 1.95996398454005 * sqrt(c / n * (1 - c / n) / n + 0.96036470517353 / (n * n))) / (1 + 3.84145882069412 / n)) END;

CREATE MACRO pass_at(c, n, k) AS
  CASE WHEN n >= k THEN CASE WHEN n - c < k THEN 1.0
    ELSE 1 - coalesce(list_aggregate(list_transform(range(n - c + 1, n + 1), lambda i: 1 - k / i), 'product'), 1.0) END
  END;

CREATE VIEW pass_rate AS
SELECT problem_id, policy, policy_revision, sampler, verifier_version, n, c, faults,
       CASE WHEN n > 0 THEN c / n END AS rate,
       wilson_low(c, n) AS wilson_low,
       wilson_high(c, n) AS wilson_high,
       pass_at(c, n, 1) AS pass_at_1,
       pass_at(c, n, 8) AS pass_at_8,
       pass_at(c, n, 64) AS pass_at_64
FROM pass_rates;

COMMENT ON VIEW pass_rate IS 'Pass rates with 95 % Wilson intervals (Wilson 1927) and unbiased pass@k (Chen et al. 2021), from the counts.';
COMMENT ON COLUMN pass_rate.rate IS 'c / n; null if nothing was judged.';
COMMENT ON COLUMN pass_rate.problem_id IS 'The problem.';
COMMENT ON COLUMN pass_rate.policy IS 'Name of the policy that answered.';
COMMENT ON COLUMN pass_rate.policy_revision IS 'Its revision.';
COMMENT ON COLUMN pass_rate.sampler IS 'Digest of the sampler settings.';
COMMENT ON COLUMN pass_rate.verifier_version IS 'Version of the verdict interface that judged.';
COMMENT ON COLUMN pass_rate.n IS 'Answers judged.';
COMMENT ON COLUMN pass_rate.c IS 'Answers that passed.';
COMMENT ON COLUMN pass_rate.faults IS 'Answers that the sandbox could not judge, in neither n nor c.';
COMMENT ON COLUMN pass_rate.wilson_low IS 'Lower end of the 95 % Wilson score interval.';
COMMENT ON COLUMN pass_rate.wilson_high IS 'Upper end of the 95 % Wilson score interval.';
COMMENT ON COLUMN pass_rate.pass_at_1 IS 'Chance that one answer passes.';
COMMENT ON COLUMN pass_rate.pass_at_8 IS 'Chance that at least one of 8 answers passes; null below 8 answers.';
COMMENT ON COLUMN pass_rate.pass_at_64 IS 'Chance that at least one of 64 answers passes; null below 64 answers.';

CREATE VIEW funnel AS
WITH stages AS (
  SELECT run_id, dataset, started_at, generate_subscripts(stage_list, 1) AS step, unnest(stage_list) AS entry
  FROM (SELECT run_id, dataset, started_at, from_json(counts, '["JSON"]') AS stage_list FROM runs)
), outcomes AS (
  SELECT *, 'kept' AS outcome, NULL AS reason, (entry ->> 'kept')::BIGINT AS rows FROM stages
  UNION ALL
  SELECT *, 'failed', NULL, (entry ->> 'failed')::BIGINT FROM stages
  UNION ALL
  SELECT *, 'rejected', NULL, (entry ->> 'rejected')::BIGINT FROM stages
  UNION ALL
  SELECT * EXCLUDE (reasons, key), 'dropped', key, (reasons ->> ('$."' || key || '"'))::BIGINT
  FROM (SELECT *, entry -> 'dropped' AS reasons, unnest(json_keys(entry -> 'dropped')) AS key FROM stages)
)
SELECT run_id, dataset, started_at, step, entry ->> 'stage' AS stage, (entry ->> 'in')::BIGINT AS rows_in, outcome,
       reason, rows
FROM outcomes
WHERE rows > 0 OR outcome = 'kept'
ORDER BY started_at, run_id, step, outcome <> 'kept', rows DESC, outcome, reason;

COMMENT ON VIEW funnel IS 'Where the rows of each run went: one row per stage, outcome (kept, dropped, failed, rejected) and reason.';
COMMENT ON COLUMN funnel.step IS '1-based place of the stage in its run.';
COMMENT ON COLUMN funnel.run_id IS 'The run.';
COMMENT ON COLUMN funnel.dataset IS 'Dataset that it built.';
COMMENT ON COLUMN funnel.started_at IS 'When it began, UTC.';
COMMENT ON COLUMN funnel.stage IS 'Name of the stage.';
COMMENT ON COLUMN funnel.outcome IS 'kept, dropped, failed or rejected.';
COMMENT ON COLUMN funnel.reason IS 'Reason code of what was dropped; null otherwise. The book rejections has those of rejected rows.';
COMMENT ON COLUMN funnel.rows_in IS 'Rows that the stage was given.';
COMMENT ON COLUMN funnel.rows IS 'Rows with this outcome and reason.';

CREATE VIEW suspects AS
WITH rates AS (SELECT problem_id, sum(n)::BIGINT AS n, sum(c)::BIGINT AS c FROM pass_rates GROUP BY problem_id)
SELECT found.*, rates.n, rates.c
FROM (
  SELECT record_id AS problem_id, stage, reason, measured, threshold, witness FROM decisions WHERE verdict = 'flag'
  UNION
  SELECT problem_id, 'test_quality', 'accepts_wrong', wrong_passed, 0, NULL FROM test_quality WHERE wrong_passed > 0
  UNION
  SELECT problem_id, 'test_quality', 'accepts_trivial', len(trivial_passed), 0, array_to_string(trivial_passed, ', ')
  FROM test_quality WHERE len(trivial_passed) > 0
  UNION
  SELECT problem_id, 'test_quality', 'flaky', NULL, NULL, NULL FROM test_quality WHERE flaky
) AS found
LEFT JOIN rates USING (problem_id);

COMMENT ON VIEW suspects IS 'Problems whose label or tests a person should look at: flags of the stages, and tests that accept what is wrong.';
COMMENT ON COLUMN suspects.n IS 'Answers judged, over all policies.';
COMMENT ON COLUMN suspects.problem_id IS 'The problem.';
COMMENT ON COLUMN suspects.stage IS 'Stage that flagged it, or test_quality.';
COMMENT ON COLUMN suspects.reason IS 'What is suspicious.';
COMMENT ON COLUMN suspects.measured IS 'Value measured.';
COMMENT ON COLUMN suspects.threshold IS 'Value that is held against it.';
COMMENT ON COLUMN suspects.witness IS 'The record, answer or program that shows it.';
COMMENT ON COLUMN suspects.c IS 'Answers that passed, over all policies.';
