-- A copy stands under no document, and takes no logins from the portal of the original.
DELETE FROM fleet_document;
DELETE FROM fleet_ticket;
DELETE FROM fleet_notice;
-- The provider's key opens the original only.
DELETE FROM res_users_apikeys
 WHERE user_id IN (SELECT res_id FROM ir_model_data
                    WHERE module = 'fleet_saas_client' AND name = 'user_monitor'
                      AND model = 'res.users');
UPDATE res_users SET active = false
 WHERE id IN (SELECT res_id FROM ir_model_data
               WHERE module = 'fleet_saas_client' AND name = 'user_monitor'
                 AND model = 'res.users');
