//! What others changed between a snapshot and now, seen from inside it. A
//! snapshot keeps rows and most of the catalogue as they were, but `pg_dump` takes
//! its locks later, and meanwhile some changes shine through: a truncated or
//! rewritten table looks empty, and a dropped index has no definition. A dump
//! that such a change hit is not what the snapshot saw.

use std::collections::{BTreeMap, BTreeSet};

use backstop_policy::manifest::{Change, Fingerprint};

use super::snapshot::{Snapshot, Table, shown};
use super::{Error, fingerprint};

impl Snapshot {
    /// Tables whose rows lie in another file than in the snapshot, by oid: they
    /// were truncated or rewritten since. (`VACUUM FULL` and `CLUSTER` rewrite
    /// too, but keep old rows visible to whom they were.)
    pub async fn rewritten(&self, tables: &[Table]) -> Result<BTreeSet<u32>, Error> {
        let oids: Vec<u32> = tables.iter().map(|table| table.oid).collect();
        let rows = self
            .client()
            .query(
                "SELECT c.oid FROM pg_class c WHERE c.oid = ANY ($1) \
                 AND pg_relation_filenode(c.oid) IS DISTINCT FROM c.relfilenode",
                &[&oids],
            )
            .await
            .map_err(Error::asking("look for tables that were rewritten"))?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// The partitioned table at the top of each partition, by the partition's
    /// oid, as the snapshot and so `pg_dump` sees it.
    pub async fn roots(&self, tables: &[Table]) -> Result<BTreeMap<u32, String>, Error> {
        let oids: Vec<u32> = tables.iter().map(|table| table.oid).collect();
        let rows = self
            .client()
            .query(
                "WITH RECURSIVE above(leaf, oid) AS ( \
                   SELECT c.oid, i.inhparent FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid \
                   WHERE c.oid = ANY ($1) AND c.relispartition \
                   UNION ALL SELECT a.leaf, i.inhparent FROM above a JOIN pg_inherits i ON i.inhrelid = a.oid) \
                 SELECT a.leaf, convert_to(format('%I.%I', n.nspname, c.relname), e.name) \
                 FROM above a JOIN pg_class c ON c.oid = a.oid JOIN pg_namespace n ON n.oid = c.relnamespace, \
                 (SELECT CASE getdatabaseencoding() WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END) AS e(name) \
                 WHERE NOT c.relispartition",
                &[&oids],
            )
            .await
            .map_err(Error::asking("look the partitioned tables up"))?;
        Ok(rows.iter().map(|row| (row.get(0), shown(row.get(1)))).collect())
    }

    /// Objects of a fingerprint of this snapshot that read otherwise by now. Whatever
    /// cannot be read without waiting is taken as it was.
    pub async fn changed_since(&self, fingerprint: &Fingerprint) -> Result<Vec<String>, Error> {
        let (now, unread) = match fingerprint::read_without_waiting(self.client(), self.server_major()).await
        {
            Err(Error::Dropped { what, .. }) => return Ok(vec![what]),
            read => read?,
        };
        let differences = fingerprint.differences(&now, true, &unread);
        let lost = differences.iter().filter(|difference| difference.change != Change::Added);
        Ok(lost.map(|difference| format!("{} {}", difference.kind, difference.object)).collect())
    }
}
