SELECT 'active', COUNT(*) FROM multicastSessions WHERE msState IN (0, 1, 2, 3)
UNION ALL
SELECT 'orphans', COUNT(*) FROM multicastSessionsAssoc LEFT JOIN multicastSessions USING (msID)
  WHERE msState IS NULL OR msState NOT IN (0, 1, 2, 3)
UNION ALL
SELECT 'waiting', COUNT(*) FROM tasks WHERE taskTypeID = 8 AND taskStateID IN (0, 1, 2, 3)
UNION ALL
SELECT CONCAT('node ', ngmMemberName), CONCAT_WS(' ', ngmHostname, ngmInterface, ngmIsMasterNode, ngmIsEnabled)
  FROM nfsGroupMembers
