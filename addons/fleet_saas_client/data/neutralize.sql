-- A copy stands under no document, and takes no logins from the portal of the original.
DELETE FROM fleet_document;
DELETE FROM fleet_ticket;
DELETE FROM fleet_notice;
