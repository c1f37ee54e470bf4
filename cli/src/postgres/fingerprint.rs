//! The catalogue fingerprint: every object that the user made, with a digest of
//! its definition, so that a restored database can be held against its source.
//!
//! What an extension brought is left out (it comes with the extension), and so
//! is what a server major words in its own way when it can be left out. Texts
//! that the server deparses (views, expressions) may still differ between
//! majors: [`Fingerprint::differences`] then looks at the names alone. No secret is
//! in a digest: options of foreign servers and user mappings are not looked at.

use std::collections::BTreeMap;

use backstop_policy::manifest::Fingerprint;
use sha2::{Digest, Sha256};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::Error;
use super::snapshot::shown;

/// One query a kind: object identity, definition. `{own}` keeps system schemas
/// and extension members out: `{own:ALIAS:CLASS}` expects the alias of the
/// catalogue and its name.
const KINDS: &[(&str, &str)] = &[
    (
        "schema",
        "SELECT format('%I', n.nspname), '' FROM pg_namespace n WHERE {schema} AND {own:n:pg_namespace}",
    ),
    ("extension", "SELECT format('%I', e.extname), '' FROM pg_extension e WHERE e.extname <> 'plpgsql'"),
    (
        "table",
        "SELECT c.oid::regclass::text, concat_ws(' ', c.relkind, c.relpersistence, c.relrowsecurity, \
         c.relforcerowsecurity, pg_get_partkeydef(c.oid), pg_get_expr(c.relpartbound, c.oid), \
         array_to_string(c.reloptions, ',')) \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p', 'f') AND {schema} AND {own:c:pg_class}",
    ),
    (
        "column",
        "SELECT format('%s.%I', c.oid::regclass, a.attname), concat_ws(' ', format_type(a.atttypid, a.atttypmod), \
         a.attnotnull, a.attidentity, a.attgenerated, \
         CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END, \
         pg_get_expr(d.adbin, d.adrelid)) \
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_type t ON t.oid = a.atttypid \
         LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
         WHERE c.relkind IN ('r', 'p', 'f', 'c') AND a.attnum > 0 AND NOT a.attisdropped AND {schema} \
         AND {own:c:pg_class}",
    ),
    (
        "index",
        // An index that a failed CREATE INDEX CONCURRENTLY left is in no dump.
        "SELECT i.indexrelid::regclass::text, concat_ws(' ', pg_get_indexdef(i.indexrelid), i.indisvalid, \
         i.indisclustered, i.indisreplident) \
         FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE (i.indisvalid OR c.relkind = 'p') AND i.indisready AND {schema} AND {own:c:pg_class}",
    ),
    (
        // NOT NULL became a constraint of its own in 18; the column says it in every major.
        "constraint",
        "SELECT format('%s.%I', coalesce(nullif(k.conrelid, 0)::regclass::text, k.contypid::regtype::text), k.conname), \
         concat_ws(' ', pg_get_constraintdef(k.oid), k.convalidated) \
         FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace \
         WHERE k.contype IN ('c', 'f', 'p', 'u', 'x') AND k.conparentid = 0 AND {schema} \
         AND {own:k:pg_constraint} AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.deptype = 'e' \
         AND e.classid = 'pg_class'::regclass AND e.objid = k.conrelid)",
    ),
    (
        "view",
        "SELECT c.oid::regclass::text, concat_ws(' ', c.relkind, array_to_string(c.reloptions, ','), \
         pg_get_viewdef(c.oid)) \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('v', 'm') AND {schema} AND {own:c:pg_class}",
    ),
    (
        "populated",
        "SELECT c.oid::regclass::text, '' FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind = 'm' AND c.relispopulated AND {schema} AND {own:c:pg_class}",
    ),
    (
        "inherits",
        "SELECT c.oid::regclass::text, string_agg(i.inhparent::regclass::text, ',' ORDER BY i.inhseqno) \
         FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE {schema} AND {own:c:pg_class} GROUP BY c.oid",
    ),
    (
        "sequence",
        "SELECT c.oid::regclass::text, concat_ws(' ', s.seqtypid::regtype, s.seqstart, s.seqincrement, s.seqmin, \
         s.seqmax, s.seqcache, s.seqcycle) \
         FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE {schema} AND {own:c:pg_class}",
    ),
    (
        "policy",
        "SELECT format('%s.%I', p.polrelid::regclass, p.polname), concat_ws(' ', p.polcmd, p.polpermissive, \
         (SELECT string_agg(coalesce(r.rolname, 'public'), ',' ORDER BY r.rolname) \
          FROM unnest(p.polroles) WITH ORDINALITY o(oid, n) LEFT JOIN pg_roles r ON r.oid = o.oid), \
         pg_get_expr(p.polqual, p.polrelid), '|', pg_get_expr(p.polwithcheck, p.polrelid)) \
         FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE {schema} AND {own:c:pg_class}",
    ),
    (
        "trigger",
        "SELECT format('%s.%I', t.tgrelid::regclass, t.tgname), concat_ws(' ', t.tgenabled, pg_get_triggerdef(t.oid)) \
         FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND {schema} AND {own:t:pg_trigger} AND {own:c:pg_class}",
    ),
    (
        "rule",
        "SELECT format('%s.%I', r.ev_class::regclass, r.rulename), concat_ws(' ', r.ev_enabled, pg_get_ruledef(r.oid)) \
         FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE r.rulename <> '_RETURN' AND {schema} AND {own:c:pg_class}",
    ),
    (
        "function",
        "SELECT p.oid::regprocedure::text, concat_ws(' ', p.prokind, l.lanname, p.provolatile, p.proisstrict, \
         p.prosecdef, p.proleakproof, p.proparallel, pg_get_function_result(p.oid), \
         pg_get_function_arguments(p.oid), array_to_string(p.proconfig, ','), p.prosrc, \
         {sqlbody}) \
         FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang \
         WHERE {schema} AND {own:p:pg_proc} \
         AND NOT EXISTS (SELECT FROM pg_depend i WHERE i.classid = 'pg_proc'::regclass AND i.objid = p.oid \
         AND i.deptype = 'i')",
    ),
    (
        "type",
        "SELECT format_type(t.oid, NULL), concat_ws(' ', t.typtype, t.typnotnull, t.typdefault, \
         CASE t.typtype WHEN 'd' THEN format_type(t.typbasetype, t.typtypmod) \
         WHEN 'e' THEN (SELECT string_agg(quote_literal(e.enumlabel), ',' ORDER BY e.enumsortorder) \
         FROM pg_enum e WHERE e.enumtypid = t.oid) END) \
         FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid \
         WHERE t.typtype IN ('c', 'd', 'e', 'r') AND (t.typtype <> 'c' OR c.relkind = 'c') \
         AND {schema} AND {own:t:pg_type}",
    ),
    (
        "statistics",
        "SELECT format('%I.%I', n.nspname, x.stxname), pg_get_statisticsobjdef(x.oid) FROM pg_statistic_ext x \
         JOIN pg_namespace n ON n.oid = x.stxnamespace WHERE {schema} AND {own:x:pg_statistic_ext}",
    ),
    (
        "event_trigger",
        "SELECT format('%I', e.evtname), concat_ws(' ', e.evtevent, e.evtenabled, e.evtfoid::regproc, \
         array_to_string(e.evttags, ',')) \
         FROM pg_event_trigger e WHERE {own:e:pg_event_trigger}",
    ),
    (
        "publication",
        "SELECT format('%I', p.pubname), concat_ws(' ', p.puballtables, p.pubinsert, p.pubupdate, \
         p.pubdelete, p.pubtruncate, p.pubviaroot, \
         (SELECT string_agg(r.prrelid::regclass::text, ',' ORDER BY r.prrelid::regclass::text) \
          FROM pg_publication_rel r WHERE r.prpubid = p.oid)) FROM pg_publication p WHERE {own:p:pg_publication}",
    ),
    (
        "operator",
        "SELECT o.oid::regoperator::text, concat_ws(' ', o.oprcode::regprocedure, o.oprcanhash, o.oprcanmerge) \
         FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace \
         WHERE o.oprcode <> 0 AND {schema} AND {own:o:pg_operator}",
    ),
    (
        // Casts that a range type brings have no function of their own.
        "cast",
        "SELECT format('%s AS %s', k.castsource::regtype, k.casttarget::regtype), \
         concat_ws(' ', nullif(k.castfunc, 0)::regprocedure, k.castcontext, k.castmethod) \
         FROM pg_cast k WHERE k.oid >= 16384 AND {own:k:pg_cast} AND NOT EXISTS (SELECT FROM pg_depend i \
         WHERE i.classid = 'pg_cast'::regclass AND i.objid = k.oid AND i.deptype = 'i')",
    ),
    (
        "collation",
        "SELECT k.oid::regcollation::text, concat_ws(' ', k.collprovider, k.collisdeterministic) \
         FROM pg_collation k JOIN pg_namespace n ON n.oid = k.collnamespace WHERE {schema} AND {own:k:pg_collation}",
    ),
    (
        "text_search_configuration",
        "SELECT k.oid::regconfig::text, (SELECT string_agg(concat_ws(' ', m.maptokentype, m.mapseqno, \
         m.mapdict::regdictionary), ',' ORDER BY m.maptokentype, m.mapseqno) \
         FROM pg_ts_config_map m WHERE m.mapcfg = k.oid) \
         FROM pg_ts_config k JOIN pg_namespace n ON n.oid = k.cfgnamespace WHERE {schema} AND {own:k:pg_ts_config}",
    ),
    (
        "text_search_dictionary",
        "SELECT k.oid::regdictionary::text, k.dictinitoption \
         FROM pg_ts_dict k JOIN pg_namespace n ON n.oid = k.dictnamespace WHERE {schema} AND {own:k:pg_ts_dict}",
    ),
    (
        // Names alone: options of a user mapping are passwords.
        "foreign_server",
        "SELECT format('%I', s.srvname), concat_ws(' ', w.fdwname, s.srvtype, s.srvversion) FROM pg_foreign_server s \
         JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw WHERE {own:s:pg_foreign_server}",
    ),
    (
        "default_privilege",
        "SELECT concat(nullif(d.defaclnamespace, 0)::regnamespace::text || '.', d.defaclrole::regrole, ' ', \
         d.defaclobjtype), \
         (SELECT string_agg(x, ',' ORDER BY x) FROM unnest(d.defaclacl::text[]) x) FROM pg_default_acl d \
         WHERE {own:d:pg_default_acl}",
    ),
    (
        "owner",
        "SELECT c.oid::regclass::text, c.relowner::regrole::text FROM pg_class c \
         JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S') AND {schema} AND {own:c:pg_class} \
         UNION ALL SELECT format('%I', n.nspname), n.nspowner::regrole::text FROM pg_namespace n \
         WHERE {schema} AND n.nspname <> 'public' AND {own:n:pg_namespace} \
         UNION ALL SELECT p.oid::regprocedure::text, p.proowner::regrole::text FROM pg_proc p \
         JOIN pg_namespace n ON n.oid = p.pronamespace \
         WHERE {schema} AND {own:p:pg_proc} AND NOT EXISTS (SELECT FROM pg_depend i \
         WHERE i.classid = 'pg_proc'::regclass AND i.objid = p.oid AND i.deptype = 'i')",
    ),
    (
        "grant",
        "SELECT c.oid::regclass::text, (SELECT string_agg(x, ',' ORDER BY x) FROM unnest(coalesce(c.relacl, \
         acldefault(CASE c.relkind WHEN 'S' THEN 's'::\"char\" ELSE 'r' END, c.relowner))::text[]) x) FROM pg_class c \
         JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S') AND {schema} AND {own:c:pg_class} \
         UNION ALL SELECT format('%s.%I', c.oid::regclass, a.attname), \
         (SELECT string_agg(x, ',' ORDER BY x) FROM unnest(a.attacl::text[]) x) FROM pg_attribute a \
         JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE a.attacl IS NOT NULL AND NOT a.attisdropped AND {schema} AND {own:c:pg_class} \
         UNION ALL SELECT format('%I', n.nspname), (SELECT string_agg(x, ',' ORDER BY x) \
         FROM unnest(coalesce(n.nspacl, acldefault('n', n.nspowner))::text[]) x) FROM pg_namespace n \
         WHERE {schema} AND n.nspname <> 'public' AND {own:n:pg_namespace} \
         UNION ALL SELECT p.oid::regprocedure::text, (SELECT string_agg(x, ',' ORDER BY x) \
         FROM unnest(coalesce(p.proacl, acldefault('f', p.proowner))::text[]) x) FROM pg_proc p \
         JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {schema} AND {own:p:pg_proc} \
         AND NOT EXISTS (SELECT FROM pg_depend i WHERE i.classid = 'pg_proc'::regclass AND i.objid = p.oid \
         AND i.deptype = 'i')",
    ),
];

/// Read the fingerprint on a connection whose `search_path` is empty, so that
/// every name comes out qualified.
///
/// Some of the server's own functions lock what they describe. The savepoint gives
/// those locks back: kept, they could make a change wait for us while `pg_dump`
/// waits behind that change.
pub async fn read(client: &Client, server_major: u32) -> Result<Fingerprint, Error> {
    let failed = |error| Error::asking("read the catalogue")(error);
    client.batch_execute("SAVEPOINT fingerprint").await.map_err(failed)?;
    let mut kinds = BTreeMap::new();
    for (kind, query) in KINDS {
        let objects = objects(client, kind, query, server_major).await?;
        // The server writes a number for the name of what is not there any more.
        if let Some(number) = objects.keys().find(|name| name.bytes().all(|byte| byte.is_ascii_digit())) {
            return Err(Error::dropped(kind, format!("number {number} has no name any more")));
        }
        if !objects.is_empty() {
            kinds.insert((*kind).to_owned(), objects);
        }
    }
    client.batch_execute("ROLLBACK TO fingerprint; RELEASE fingerprint").await.map_err(failed)?;
    Ok(Fingerprint { kinds })
}

/// The same, but for kinds of which an object is locked by somebody; their names
/// come back beside it.
pub(super) async fn read_without_waiting(
    client: &Client,
    server_major: u32,
) -> Result<(Fingerprint, Vec<&'static str>), Error> {
    let failed = |error| Error::asking("read the catalogue")(error);
    let mut unread = Vec::new();
    let mut kinds = BTreeMap::new();
    for (kind, query) in KINDS {
        client.batch_execute("SAVEPOINT fingerprint; SET LOCAL lock_timeout = 50").await.map_err(failed)?;
        match objects(client, kind, query, server_major).await {
            Ok(objects) => {
                if !objects.is_empty() {
                    kinds.insert((*kind).to_owned(), objects);
                }
            }
            Err(error) if error.is_out_of_reach() => unread.push(*kind),
            Err(error) => return Err(error),
        }
        client.batch_execute("ROLLBACK TO fingerprint; RELEASE fingerprint").await.map_err(failed)?;
    }
    Ok((Fingerprint { kinds }, unread))
}

/// All objects of a kind: identity to digest.
async fn objects(
    client: &Client,
    kind: &str,
    query: &str,
    server_major: u32,
) -> Result<BTreeMap<String, String>, Error> {
    // Raw bytes, because names in an SQL_ASCII database need not be UTF-8.
    let query = format!(
        "SELECT convert_to(o.identity, e.name), convert_to(coalesce(o.definition, ''), e.name) \
         FROM ({}) AS o(identity, definition), \
         (SELECT CASE getdatabaseencoding() WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END) AS e(name)",
        expand(query, server_major)
    );
    let rows = client.query(&query, &[]).await.map_err(|error| {
        // What the snapshot still sees, the server's functions may not find any more.
        match error.code() {
            Some(&SqlState::INTERNAL_ERROR | &SqlState::UNDEFINED_OBJECT | &SqlState::UNDEFINED_FUNCTION) => {
                let said = error.as_db_error().map_or_else(String::new, |said| said.message().to_owned());
                Error::dropped(kind, said)
            }
            _ => Error::asking(format!("read the {kind} catalogue"))(error),
        }
    })?;
    let digest = |definition: &[u8]| hex::encode(&Sha256::digest(definition)[..8]);
    Ok(rows.iter().map(|row| (shown(row.get(0)), digest(row.get(1)))).collect())
}

/// Fill the placeholders of a query in [`KINDS`].
fn expand(query: &str, server_major: u32) -> String {
    let mut query = query
        .replace("{schema}", "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'")
        .replace("{sqlbody}", if server_major >= 14 { "pg_get_function_sqlbody(p.oid)" } else { "NULL" });
    while let Some((before, rest)) = query.split_once("{own:") {
        let Some((alias, class, after)) = rest
            .split_once(':')
            .and_then(|(alias, rest)| Some((alias, rest.split_once('}')?)))
            .map(|(a, (c, r))| (a, c, r))
        else {
            break;
        };
        query = format!(
            "{before}NOT EXISTS (SELECT FROM pg_depend own WHERE own.deptype = 'e' \
             AND own.classid = '{class}'::regclass AND own.objid = {alias}.oid){after}"
        );
    }
    query
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_placeholder_is_filled_and_every_kind_is_named_once() {
        let mut names = std::collections::BTreeSet::new();
        for (kind, query) in KINDS {
            assert!(names.insert(kind), "{kind} twice");
            for major in [13, 18] {
                assert!(!expand(query, major).contains('{'), "{kind}: {}", expand(query, major));
            }
        }
    }
}
