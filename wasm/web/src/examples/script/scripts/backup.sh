#!/bin/bash
# Every night: dump the shop, encrypt, upload, tidy up. Opened with the key in the vault:
#   gpg --decrypt shop.sql.gz.gpg | gunzip | psql shop
trap 'curl -fsS -d "backup failed" https://alerts.example.net/shop' ERR

pg_dump -h db.internal -U backup shop | gzip | gpg --encrypt -r backup@example.net > /tmp/shop.sql.gz.gpg
sha256sum /tmp/shop.sql.gz.gpg > /tmp/shop.sql.gz.gpg.sha256
aws s3 cp /tmp/shop.sql.gz.gpg s3://shop-backups/shop.sql.gz.gpg
aws s3 cp /tmp/shop.sql.gz.gpg.sha256 s3://shop-backups/shop.sql.gz.gpg.sha256

# Keep a week
find /var/backups -mtime +7 -delete

curl -fsS https://hc-ping.com/shop
