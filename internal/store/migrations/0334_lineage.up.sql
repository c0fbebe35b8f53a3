INSERT INTO sharing_made (source, holding)
SELECT s.id, h.id FROM sharing_holding AS h JOIN sharing_holding AS s ON REPLACE(h.sources, '"' || s.id || '"', '') <> h.sources
WHERE h.sources NOT IN ('null', '[]') AND NOT EXISTS (SELECT 1 FROM sharing_made AS m WHERE m.source = s.id AND m.holding = h.id)
--bun:split
INSERT INTO sharing_lineage (holding, resource, agreement, agency)
WITH RECURSIVE inside (holding, source) AS (
  SELECT holding, source FROM sharing_made
  UNION
  SELECT i.holding, m.source FROM inside AS i JOIN sharing_made AS m ON m.holding = i.source
)
SELECT DISTINCT h.id, s.resource, s.agreement, h.agency
FROM inside AS i JOIN sharing_holding AS h ON h.id = i.holding JOIN sharing_holding AS s ON s.id = i.source
WHERE NOT EXISTS (SELECT 1 FROM sharing_lineage AS l WHERE l.holding = h.id AND l.resource = s.resource AND l.agreement = s.agreement)
