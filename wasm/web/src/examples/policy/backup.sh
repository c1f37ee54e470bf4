#!/bin/bash
set -e
pg_dump "$DATABASE_URL" | gzip > shop.sql.gz
aws s3 cp shop.sql.gz s3://shop-backups/shop.sql.gz --sse aws:kms
