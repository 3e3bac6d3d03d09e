-- A copy of a portal must not use the keys of the real one, nor ask its databases for anything.
UPDATE project_project
   SET database_api_key_secret = NULL, database_api_key_expiry = NULL
 WHERE database_api_key_secret IS NOT NULL OR database_api_key_expiry IS NOT NULL;

DELETE FROM ir_config_parameter
 WHERE key IN ('fleet_databases.odoocom_key_secret', 'fleet_databases.odoocom_login');

UPDATE ir_cron
   SET active = false
 WHERE id IN (SELECT res_id FROM ir_model_data WHERE module = 'fleet_databases' AND model = 'ir.cron');

-- What was under way over there goes on over there.
UPDATE databases_run_line SET state = 'failed', lease_until = NULL WHERE state IN ('queued', 'running');
UPDATE databases_run SET state = 'done' WHERE state = 'running';
