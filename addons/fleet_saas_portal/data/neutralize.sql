-- A copy of a portal must neither ask the servers of the real one for anything nor sign in its name.
UPDATE saas_server SET api_key_secret = NULL WHERE api_key_secret IS NOT NULL;
UPDATE saas_instance SET monitor_secret = NULL WHERE monitor_secret IS NOT NULL;
UPDATE saas_instance SET link_key = NULL WHERE link_key IS NOT NULL;
UPDATE saas_openid_key SET secret = NULL, is_signing = false, accepted_until = NULL;
UPDATE saas_openid_client SET secret_hash = NULL, active = false;
DELETE FROM saas_openid_login;
UPDATE saas_key SET secret = NULL, state = 'retired', accepted_until = NULL WHERE state != 'retired';

UPDATE ir_cron
   SET active = false
 WHERE id IN (SELECT res_id FROM ir_model_data WHERE module = 'fleet_saas_portal' AND model = 'ir.cron');

-- What was under way over there goes on over there.
UPDATE saas_request SET state = 'lost', is_open = false, secrets = NULL
 WHERE state IN ('waiting', 'running');
