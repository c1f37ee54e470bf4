-- Roles of the shop, to be run after a restore
CREATE ROLE shop LOGIN PASSWORD 'Vq8s2mKx71';
CREATE ROLE backup LOGIN REPLICATION PASSWORD 'n4Kq81LmZx';
ALTER ROLE postgres WITH PASSWORD 'R7wp03Tzqe';
CREATE USER MAPPING FOR shop SERVER billing OPTIONS (user 'shop', password 'Hd52xkVn90');
