//! A dump into a database that nobody uses yet: a new one, which is gone again
//! when anything fails, or an empty one, in one transaction. At the end it is
//! held against the snapshot of the dump.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use backstop_policy::manifest::{Fingerprint, Manifest, Proof};
use tokio_util::sync::CancellationToken;

use super::origin::{Dump, Form};
use super::report::{self, Comparison, LeftOut};
use super::{Destination, Error, Request, globals, plain, properties};
use crate::archive::{self, Choice, Halves, Plan, Selection, Toc};
use crate::load::{self, Archive, Frame, Load, Loaded, facts};
use crate::postgres;
use crate::postgres::database;
use crate::postgres::locale::Locale;
use crate::postgres::session::Session;
use crate::postgres::snapshot::Snapshot;
use crate::postgres::target::Target;
use crate::ui::Ui;
use crate::verify::compare::{Compared, Depth, compare};

/// What a database was filled with.
#[derive(Debug)]
pub struct Filled {
    pub tables: u64,
    pub rows: u64,
    pub seconds: f64,
    pub comparison: Comparison,
    pub left_out: Vec<LeftOut>,
    pub notes: Vec<String>,
}

/// Whether the new database is for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// With exactly the source's locale, or not at all.
    Exact,
    /// With the closest locale that there is.
    Trial,
}

/// A dump that was opened, and of an archive the table of contents.
pub enum Content {
    Archive(Archive),
    Sql(Dump),
}

impl Content {
    pub async fn open(request: &Request, ui: Ui, stop: &CancellationToken) -> Result<Self, Error> {
        let dump = request.origin.open(&request.keys, ui, stop).await?;
        Ok(match dump.form {
            Form::Archive => Self::Archive(Archive::read(dump).await?),
            Form::Sql if request.selection == Selection::default() => Self::Sql(dump),
            Form::Sql => return Err(Error::NoChoiceInSql),
        })
    }

    pub fn toc(&self) -> Option<&Toc> {
        match self {
            Self::Archive(archive) => Some(&archive.toc),
            Self::Sql(_) => None,
        }
    }
}

/// Make a database beside the one that `admin` is connected to, and fill it.
pub async fn new_database(
    request: &Request,
    content: Content,
    admin: &Session,
    name: &str,
    kept: Kept,
    ui: Ui,
    stop: &CancellationToken,
) -> Result<Filled, Error> {
    if request.selection.halves == Halves::DataOnly {
        return Err(Error::DataOnlyIntoNew);
    }
    if database::exists(admin, name).await? {
        return Err(Error::Exists { database: name.to_owned() });
    }
    let begun = Instant::now();
    let mut left_out = Vec::new();
    let mut locale = request.origin.manifest().map(|manifest| Locale::from(&manifest.source));
    if let Some(toc) = content.toc() {
        left_out.extend(roles(request, toc, admin, ui, stop).await?);
        locale = locale.or_else(|| properties::locale(toc));
    }
    let locale = match locale {
        Some(locale) => locale,
        None => Locale::of(admin).await.map_err(postgres::Error::asking("describe the database"))?,
    };
    match kept {
        Kept::Exact => database::create(admin, name, &locale).await?,
        Kept::Trial => drop(database::create_for_trial(admin, name, &locale).await?),
    }
    let target = admin.target().with_database(name);
    let filled = async {
        let own = properties_of(request, &content, admin, name).await?;
        let mut filled = into(request, content, &target, None, ui, stop).await?;
        filled.left_out.extend(properties::apply(admin, &own).await?);
        Ok(filled)
    }
    .await;
    match filled {
        Ok(mut filled) => {
            left_out.append(&mut filled.left_out);
            Ok(Filled { left_out, seconds: begun.elapsed().as_secs_f64(), ..filled })
        }
        Err(error) => {
            // The first error is the one to tell.
            if let Err(second) = database::drop(admin, name).await {
                ui.warn(format!("the half-made database '{name}' could not be dropped: {second}"));
                return Err(error);
            }
            Err(match error {
                Error::Load(error) => error.undone().into(),
                other => other,
            })
        }
    }
}

/// What the new database itself is to be like: as the archive says; where it says
/// nothing and the database is to take the place of a living one, like that.
async fn properties_of(
    request: &Request,
    content: &Content,
    admin: &Session,
    name: &str,
) -> Result<Vec<properties::Statement>, Error> {
    if request.selection.choice != Choice::Everything {
        return Ok(Vec::new());
    }
    let own = content.toc().map(|toc| properties::statements(toc, name, &request.selection));
    match own.filter(|statements| !statements.is_empty()) {
        Some(statements) => Ok(statements),
        None if matches!(request.destination, Destination::InPlace(_)) => {
            properties::of_live(admin, name, &request.selection).await
        }
        None => Ok(Vec::new()),
    }
}

/// Fill a database that is there. With a frame, all or nothing of it happens.
pub async fn into(
    request: &Request,
    content: Content,
    target: &Target,
    frame: Option<&Frame>,
    ui: Ui,
    stop: &CancellationToken,
) -> Result<Filled, Error> {
    let begun = Instant::now();
    let mut filled = match content {
        Content::Sql(dump) => {
            let ran = plain::restore(dump, target, frame, stop).await?;
            let mut filled = counted(target, "plain SQL carries no proof").await?;
            if !ran.end_was_marked {
                filled
                    .notes
                    .push("pg_dump did not mark its end, so whether it is whole cannot be told".to_owned());
            }
            filled
        }
        Content::Archive(archive) => {
            let facts = facts::read(target).await?;
            let plan = archive::plan(&archive.toc, &request.selection, &facts)?;
            say_plan(&plan, ui);
            let load = Load { target, selection: &request.selection, frame, jobs: request.jobs };
            let loaded = load::restore(&load, archive, plan, facts.server_major, stop).await?;
            let mut filled = held_against(request, target, &loaded).await?;
            filled.left_out = loaded.plan.left_out.iter().map(LeftOut::from).collect();
            filled.notes = report::notes(&loaded.plan);
            filled.notes.extend(loaded.notes);
            filled
        }
    };
    filled.seconds = begun.elapsed().as_secs_f64();
    Ok(filled)
}

pub fn say_plan(plan: &Plan, ui: Ui) {
    for left_out in &plan.left_out {
        ui.note(format!("leaving out: {} ({})", left_out.what, left_out.why));
    }
    for note in report::notes(plan) {
        ui.note(note);
    }
}

/// Every role that what is chosen names must be there before anything starts.
pub async fn roles(
    request: &Request,
    toc: &Toc,
    admin: &Session,
    ui: Ui,
    stop: &CancellationToken,
) -> Result<Vec<LeftOut>, Error> {
    let mut made = globals::Made::default();
    if request.globals {
        let text = request.origin.globals(&request.keys, ui, stop).await?;
        made = globals::make(admin, &text).await?;
        if !made.roles.is_empty() {
            ui.note(format!("made roles without passwords: {}", made.roles.join(", ")));
        }
    }
    let missing = missing_roles(request, toc, admin).await?;
    if missing.is_empty() {
        return Ok(made.left_out);
    }
    let globals =
        !request.globals && request.origin.manifest().is_some_and(|manifest| manifest.globals.is_some());
    Err(Error::MissingRoles { roles: missing, globals })
}

/// Roles that what is chosen names and the server does not have.
pub async fn missing_roles(request: &Request, toc: &Toc, admin: &Session) -> Result<BTreeSet<String>, Error> {
    // Rows belong to nobody.
    if request.selection.halves == Halves::DataOnly {
        return Ok(BTreeSet::new());
    }
    let there = facts::roles(admin).await?;
    Ok(wanted_roles(request, toc)?.difference(&there).cloned().collect())
}

/// Roles in the part of an archive that is chosen, as far as they are wanted.
fn wanted_roles(request: &Request, toc: &Toc) -> Result<BTreeSet<String>, Error> {
    let selection = &request.selection;
    let anywhere = archive::TargetFacts {
        server_major: u32::MAX,
        user: String::new(),
        superuser: true,
        provider: None,
        schemas: BTreeSet::new(),
        present: BTreeSet::new(),
        roles: None,
        extensions: None,
    };
    let chosen: BTreeSet<i32> = archive::plan(toc, selection, &anywhere)?.entries.into_iter().collect();
    let whole =
        selection.choice == Choice::Everything && !matches!(request.destination, Destination::Into(_));
    let mut part = toc.clone();
    part.entries.retain(|entry| {
        let database =
            entry.desc == "DATABASE" || (entry.desc == "ACL" && entry.tag.starts_with("DATABASE "));
        let grant = matches!(entry.desc.as_str(), "ACL" | "DEFAULT ACL");
        // Without owners and grants, a policy for an unknown role is left out and listed.
        let bare = selection.no_owner && selection.no_privileges;
        (chosen.contains(&entry.dump_id) || (whole && database))
            && !(grant && selection.no_privileges)
            && !(entry.desc == "POLICY" && bare)
    });
    if selection.no_owner {
        part.entries.iter_mut().for_each(|entry| entry.owner.clear());
    }
    Ok(archive::roles(&part))
}

pub async fn held_against(request: &Request, target: &Target, loaded: &Loaded) -> Result<Filled, Error> {
    let Loaded { toc, plan, taken, .. } = loaded;
    let Some(manifest) = request.origin.manifest() else {
        return counted(target, "the dump was not made by backstop").await;
    };
    if let Proof::Unproven { reason } = &manifest.proof {
        return counted(target, reason).await;
    }
    let narrowed = narrow(manifest, toc, plan, &request.selection);
    // What is to take the place of living data is counted where it lies.
    let (in_place, none) = (matches!(request.destination, Destination::InPlace(_)), BTreeMap::new());
    let taken = if in_place { &none } else { taken };
    let compared = compare(target, &narrowed, toc, plan, Depth::Counts { taken }).await?;
    Ok(filled(&compared))
}

fn filled(compared: &Compared) -> Filled {
    Filled {
        tables: compared.tables as u64,
        rows: compared.rows,
        seconds: 0.0,
        comparison: Comparison::of(compared),
        left_out: Vec::new(),
        notes: Vec::new(),
    }
}

/// The proof of what was chosen.
pub fn narrow(manifest: &Manifest, toc: &Toc, plan: &Plan, selection: &Selection) -> Manifest {
    let mut narrowed = manifest.clone();
    let Proof::Snapshot { tables, sequences, large_objects, large_object_bytes, roots, fingerprint } =
        &mut narrowed.proof
    else {
        return narrowed;
    };
    let ids: BTreeSet<i32> = plan.entries.iter().copied().collect();
    let left_out: BTreeSet<i32> = plan.left_out.iter().map(|left_out| left_out.dump_id).collect();
    // What was left out on purpose stays in: the comparison knows about it.
    let has = |desc: &'static str| {
        toc.entries
            .iter()
            .filter(move |entry| entry.desc == desc)
            .filter(|entry| ids.contains(&entry.dump_id) || left_out.contains(&entry.dump_id))
            .map(|entry| (entry.namespace.as_str(), entry.tag.as_str()))
            .collect::<BTreeSet<_>>()
    };
    let (filled, set) = (has("TABLE DATA"), has("SEQUENCE SET"));
    let (kept, gone): (Vec<_>, Vec<_>) = std::mem::take(tables)
        .into_iter()
        .partition(|table| filled.contains(&(table.schema.as_str(), table.name.as_str())));
    *tables = kept;
    // Of some partitions alone, their root says nothing.
    roots.retain(|root| gone.iter().all(|table| table.root.as_ref() != Some(&root.name)));
    sequences.retain(|sequence| set.contains(&(sequence.schema.as_str(), sequence.name.as_str())));
    if has("BLOBS").is_empty() {
        *large_objects = 0;
        *large_object_bytes = None;
    }
    if selection.choice != Choice::Everything || selection.halves == Halves::DataOnly {
        *fingerprint = Fingerprint::default();
    }
    if selection.halves == Halves::SchemaOnly {
        // Materialized views wait for their rows.
        fingerprint.kinds.remove("populated");
    }
    if selection.no_owner {
        fingerprint.kinds.remove("owner");
    }
    // Grants name the owner.
    if selection.no_owner || selection.no_privileges {
        fingerprint.kinds.remove("grant");
    }
    narrowed
}

/// Tables and rows of a whole database, where there is nothing to compare with.
async fn counted(target: &Target, why: &str) -> Result<Filled, Error> {
    let snapshot = Snapshot::open(target).await?;
    let tables = snapshot
        .client()
        .query(
            "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname !~ '^pg_' \
             AND n.nspname <> 'information_schema'",
            &[],
        )
        .await
        .map_err(postgres::Error::asking("list the restored tables"))?;
    let rows = snapshot.rows_of(tables.iter().map(|row| row.get(0)).collect()).await?;
    Ok(Filled {
        tables: rows.len() as u64,
        rows: rows.values().sum(),
        seconds: 0.0,
        comparison: Comparison::Unproven { reason: why.to_owned() },
        left_out: Vec::new(),
        notes: Vec::new(),
    })
}
