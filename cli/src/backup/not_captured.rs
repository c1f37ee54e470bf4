//! What a backup does not hold, one line each: what was asked for and what the
//! archive names flow in. Nobody should learn it from a restore.

use backstop_policy::manifest::Content;

use super::Job;
use crate::archive::{Entry, Toc};

/// `standby` says that the source replays another server's log.
pub fn list(job: &Job, toc: &Toc, standby: bool) -> Vec<String> {
    let mut missing = vec!["passwords of roles".to_owned()];
    if job.content == Content::Schema {
        missing.push("rows (--content schema)".to_owned());
    }
    if job.content == Content::Data {
        missing.push("definitions (--content data)".to_owned());
    }
    for (what, patterns) in [
        ("every schema but", &job.filters.schemas),
        ("every table but", &job.filters.tables),
        ("tables", &job.filters.exclude_tables),
        ("rows of", &job.filters.exclude_table_data),
    ] {
        if !patterns.is_empty() {
            missing.push(format!("{what} {}", patterns.join(", ")));
        }
    }
    let count = |is: &dyn Fn(&Entry) -> bool| toc.entries.iter().filter(|entry| is(entry)).count();
    let foreign = count(&|entry| entry.desc == "FOREIGN TABLE");
    if foreign > 0 {
        missing.push(format!("rows of {foreign} foreign tables, which lie on another server"));
    }
    let unlogged =
        count(&|entry| entry.desc == "TABLE" && entry.definition.contains("CREATE UNLOGGED TABLE"));
    if standby && unlogged > 0 {
        missing.push(format!("rows of {unlogged} unlogged tables, which a standby does not have"));
    }
    // The names are Supabase's: its documentation on Storage and on Vault, November 2026.
    if count(&|entry| entry.desc == "TABLE DATA" && entry.namespace == "storage" && entry.tag == "objects")
        > 0
    {
        missing.push("files of Supabase Storage: the database holds only their names".to_owned());
    }
    if count(&|entry| entry.desc == "EXTENSION" && entry.tag == "supabase_vault") > 0 {
        missing.push("the key that opens Supabase Vault's secrets: the provider holds it".to_owned());
    }
    missing
}
