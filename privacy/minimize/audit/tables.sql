{#- What counting alone tells of a release. Columns "raw.NAME" of the relation hold records at full resolution,
"out.NAME" what is stored of them, "test" is true for attacked records and false for the attacker's own sample. -#}

{#- Records that agree on some columns share a 64-bit key: the XOR of one hash per column. -#}
{%- macro key(columns) -%}
{%- set half = columns | length // 2 -%}
{%- if half -%} xor({{ key(columns[:half]) }}, {{ key(columns[half:]) }})
{%- elif columns -%} hash(xor(hash({{ columns[0] | name }}), hash({{ columns[0] | text }})))
{%- else -%} 0::UBIGINT
{%- endif -%}
{%- endmacro -%}

-- the values of each attribute as numbers, in the order of the values
{% for a in attributes if not a.continuous %}
CREATE OR REPLACE TEMP TABLE values_{{ a.number }} AS
SELECT value, (row_number() OVER (ORDER BY value) - 1)::INTEGER AS code
FROM (SELECT DISTINCT {{ a.value }} AS value FROM {{ relation }}) WHERE value IS NOT NULL;
{% endfor %}

CREATE OR REPLACE TEMP TABLE coded AS
SELECT
  test,
  {{ "hash(%s)" % (client | name) if client else "NULL" }} AS client,
  {{ key(released) }} AS cell,
  {{ key(impersonal + released) }} AS background,
  {{ key(raw + released) }} AS everything,
  {% for a in attributes %}
  {{ key([a.raw]) }} AS truth_{{ a.number }},
  {{ key(a.own) }} AS own_{{ a.number }},
  {% if a.continuous %}
  CASE WHEN {{ a.value }} IS NULL THEN {{ steps + 1 }} ELSE
    floor(({{ a.value }} - {{ a.low }}) / ({{ a.high }} - {{ a.low }}) * {{ steps }}).greatest(0).least({{ steps - 1 }})
  END::INTEGER AS code_{{ a.number }},
  {% else %}
  coalesce(values_{{ a.number }}.code, (SELECT count(*) FROM values_{{ a.number }}))::INTEGER AS code_{{ a.number }},
  {% endif %}
  {% endfor %}
FROM {{ relation }}
{% for a in attributes if not a.continuous %}
LEFT JOIN values_{{ a.number }} ON values_{{ a.number }}.value = {{ a.value }}
{% endfor %};

CREATE OR REPLACE TEMP TABLE measured (attribute VARCHAR, measure VARCHAR, part DOUBLE, whole DOUBLE);

-- classes of records that what is stored cannot tell apart, sized in people
CREATE OR REPLACE TEMP TABLE classes AS SELECT cell, {{ people }} AS size, count(*) AS records FROM coded GROUP BY cell;
CREATE OR REPLACE TEMP TABLE population AS
{% if population %}
SELECT cell, greatest(classes.size, coalesce(there.size, 0)) AS size
FROM classes
LEFT JOIN (SELECT {{ key(released) }} AS cell, {{ population_people }} AS size FROM {{ population }} GROUP BY ALL) AS there
USING (cell);
{% else %}
SELECT cell, size FROM classes;
{% endif %}

INSERT INTO measured
SELECT NULL, unnest(['records', 'people', 'classes', 'smallest_class', 'smallest_classes', 'singletons']),
  unnest([sum(records), sum(size), count(*), min(size), count(*) FILTER (size = smallest), count(*) FILTER (size = 1)]::DOUBLE[]), 1
FROM classes, (SELECT min(size) AS smallest FROM classes);

INSERT INTO measured
SELECT NULL, unnest(['prosecutor_highest', 'prosecutor_average', 'prosecutor_at_risk']),
  unnest([1, count(*), coalesce(sum(size) FILTER (1 / size > {{ threshold }}), 0)]::DOUBLE[]),
  unnest([min(size), sum(size), sum(size)]::DOUBLE[])
FROM classes;

INSERT INTO measured
SELECT NULL, unnest(['journalist_highest', 'journalist_average', 'journalist_at_risk', 'marketer']),
  unnest([
    1, greatest(count(*) / sum(population.size), sum(classes.size / population.size) / sum(classes.size)),
    coalesce(sum(classes.size) FILTER (1 / population.size > {{ threshold }}), 0), sum(classes.size / population.size)
  ]::DOUBLE[]),
  unnest([min(population.size), 1, sum(classes.size), sum(classes.size)]::DOUBLE[])
FROM classes JOIN population USING (cell);

-- a guess is the value with most votes, the smallest among equals: both are packed into one number
CREATE OR REPLACE TEMP MACRO packed(votes, code) AS votes::BIGINT * 2147483648 + (2147483647 - code);
CREATE OR REPLACE TEMP MACRO unpacked(best) AS (2147483647 - best % 2147483648)::INTEGER;

-- what attackers trust: places that hold enough records of their sample
{% for place in ("cell", "background") %}
CREATE OR REPLACE TEMP TABLE trusted_{{ place }} AS
SELECT {{ place }} AS place FROM coded WHERE NOT test GROUP BY place HAVING count(*) >= {{ fewest }};
{% endfor %}

{% for a in attributes %}
-- how much each class tells of {{ a.comment }}
CREATE OR REPLACE TEMP TABLE held AS
SELECT cell, code_{{ a.number }} AS code, {{ people }} AS size, sum(size) OVER (PARTITION BY cell) AS of_cell
FROM coded GROUP BY cell, code_{{ a.number }};
CREATE OR REPLACE TEMP TABLE overall AS
SELECT code, size / sum(size) OVER () AS share, sum(size) OVER (ORDER BY code) / sum(size) OVER () AS below
FROM (SELECT code, sum(size) AS size FROM held GROUP BY code);

INSERT INTO measured
SELECT {{ a.attribute | text }},
  unnest(['distinct_l', 'entropy_l', 'recursive_c', 'told_for_certain', 't']),
  unnest([
    min(kinds), exp(min(entropy)), max(largest / (people - largest)),
    coalesce(sum(people) FILTER (kinds = 1), 0), max(distance)
  ]::DOUBLE[]),
  unnest([1, 1, 1, sum(people), 1]::DOUBLE[])
FROM (
  SELECT cell, count(*) AS kinds, max(size) AS largest, any_value(of_cell) AS people,
    sum(-size / of_cell * ln(size / of_cell)) AS entropy,
    {% if a.positions %}
    (0{% for at in a.positions[:-1] %} + abs(
      sum(size) FILTER (code <= {{ at }}).coalesce(0) / any_value(of_cell) - (SELECT coalesce(max(below), 0) FROM overall WHERE code <= {{ at }})
    ){% endfor %}) / {{ [a.positions | length - 1, 1] | max }} AS distance
    {% else %}
    sum(greatest(size / of_cell - share, 0)) AS distance
    {% endif %}
  FROM held JOIN overall USING (code)
  GROUP BY cell
);

{% for attack, place, trusted in a.attacks %}
-- {{ attack }}: the attacker knows records up to "place", and therefore also their cell and their own bucket
CREATE OR REPLACE TEMP VIEW placed AS
SELECT {{ place }} AS place, cell, own_{{ a.number }} AS own, code_{{ a.number }} AS code, test FROM coded;
CREATE OR REPLACE TEMP VIEW votes AS
SELECT place, own, code FROM placed WHERE NOT test
{% if a.window == 2 %}
UNION ALL SELECT place, own, code - 1 FROM placed WHERE NOT test AND code > 0
{% endif %};
{% if attack == "leave_one_out" %}
CREATE OR REPLACE TEMP TABLE trusted_others AS
SELECT place FROM placed WHERE NOT test GROUP BY place HAVING count(*) >= {{ fewest }};
{% endif %}
CREATE OR REPLACE TEMP TABLE by_place AS
SELECT place, unpacked(max(packed(votes, code))) AS guess
FROM (SELECT place, code, count(*) AS votes FROM votes SEMI JOIN {{ trusted }} USING (place) GROUP BY ALL) GROUP BY place;
{% if attack == "reconstruction" %}
CREATE OR REPLACE TEMP TABLE by_cell AS SELECT place AS cell, guess FROM by_place;
CREATE OR REPLACE TEMP TABLE by_own AS
SELECT own, unpacked(max(packed(votes, code))) AS guess
FROM (SELECT own, code, count(*) AS votes FROM votes GROUP BY ALL) GROUP BY own;
CREATE OR REPLACE TEMP TABLE by_all AS
SELECT unpacked(max(packed(votes, code))) AS guess
FROM (SELECT code, count(*) AS votes FROM votes GROUP BY code);
{% endif %}
CREATE OR REPLACE TEMP VIEW guesses AS
SELECT placed.cell, code - by_all.guess AS off_blind,
  code - coalesce(by_place.guess, by_cell.guess, by_own.guess, by_all.guess) AS off
FROM placed LEFT JOIN by_place USING (place) LEFT JOIN by_cell USING (cell) LEFT JOIN by_own USING (own), by_all
WHERE test;

INSERT INTO measured
SELECT {{ a.attribute | text }}, {{ attack | text }}, count(*) FILTER (off >= 0 AND off < {{ a.window }}), count(*)
FROM guesses
{% if attack == "reconstruction" %}
UNION ALL
SELECT {{ a.attribute | text }}, 'majority', count(*) FILTER (off_blind >= 0 AND off_blind < {{ a.window }}), count(*)
FROM guesses
UNION ALL
SELECT {{ a.attribute | text }}, 'outliers', count(*) FILTER (off >= 0 AND off < {{ a.window }}), count(*)
FROM guesses SEMI JOIN (SELECT cell FROM classes WHERE records = 1) USING (cell)
{% endif %};
{% endfor %}
{% endfor %}
