#!/bin/bash
# Daily backup of the shop

BUCKET="s3://shop-backups"
STAMP=$(date +%Y-%m-%d)

PGPASSWORD="$DB_PASSWORD" pg_dump -h db.internal -U shop shop | gzip > /tmp/shop.sql.gz
aws s3 cp /tmp/shop.sql.gz "$BUCKET/shop.sql.gz"

# Tidy up what is older than a week
find /var/backups -mtime +7 -delete

echo "Backup of $STAMP complete"
