//! Two databases exchange places by their names. Whoever is connected is sent
//! away only for the moment of the renames, which are one transaction; when it
//! does not come about, the old database takes connections as before.

use std::time::Duration;

use backstop_policy::identifier::quote;
use jiff::Timestamp;

use super::Error;
use crate::postgres;
use crate::postgres::database;
use crate::postgres::session::Session;
use crate::postgres::target::Target;
use crate::ui::Ui;

/// How often others are asked to leave, and how long that takes at most.
const TRIES: u32 = 40;
const PAUSE: Duration = Duration::from_millis(250);
/// PostgreSQL cuts longer names (NAMEDATALEN - 1).
const LONGEST_NAME: usize = 63;
/// What stands between the name of a database and the time when it was set aside.
const SET_ASIDE: &str = "_before_";

/// `<database><suffix>_<time>`, the database's name cut so that it fits.
pub fn name_with(database: &str, suffix: &str, now: Timestamp) -> String {
    let tail = format!("{suffix}{}", now.strftime("%Y%m%dt%H%M%Sz"));
    format!("{}{tail}", start(database, tail.len()))
}

pub fn set_aside_name(database: &str, now: Timestamp) -> String {
    name_with(database, SET_ASIDE, now)
}

/// Whether a name is one that a restore of `live` gave to what it set aside.
pub fn is_set_aside(name: &str, live: &str) -> bool {
    let Some((_, time)) = name.rsplit_once(SET_ASIDE) else { return false };
    let tail = SET_ASIDE.len() + time.len();
    name.strip_suffix(time).and_then(|rest| rest.strip_suffix(SET_ASIDE)) == Some(start(live, tail))
        && time.len() == 16
}

fn start(database: &str, tail: usize) -> &str {
    let mut length = database.len().min(LONGEST_NAME.saturating_sub(tail));
    while !database.is_char_boundary(length) {
        length -= 1;
    }
    &database[..length]
}

/// A session in another database of the same server: nobody can rename the one
/// that they are connected to.
pub async fn elsewhere(target: &Target) -> Result<Session, Error> {
    let mut last = None;
    for name in ["postgres", "template1"].into_iter().filter(|name| *name != target.database()) {
        match Session::patient(&target.with_database(name)).await {
            Ok(session) => return Ok(session),
            Err(error) => last = Some(error),
        }
    }
    Err(last.map_or_else(
        || {
            Error::Postgres(postgres::Error::NoDatabase {
                at: target.to_string(),
                database: "postgres".to_owned(),
            })
        },
        Error::Postgres,
    ))
}

/// `live` becomes `set_aside`, and `restored` becomes `live`. It is not stopped
/// half-way by a signal.
pub async fn swap(admin: &Session, live: &str, restored: &str, set_aside: &str, ui: Ui) -> Result<(), Error> {
    let failed = |source| Error::Swap {
        live: live.to_owned(),
        restored: restored.to_owned(),
        source: Box::new(source),
    };
    for name in [restored, live] {
        if !database::exists(admin, name).await.map_err(|error| failed(error.into()))? {
            let at = admin.target().to_string();
            let none = postgres::Error::NoDatabase { at, database: name.to_owned() }.into();
            // Nothing is left to be named where it is the restored one that is gone.
            return Err(if name == live { failed(none) } else { none });
        }
    }
    ui.note(format!(
        "exchanging the databases; should this be killed: ALTER DATABASE {} ALLOW_CONNECTIONS true",
        quote(live)
    ));
    let outcome = exchange(admin, live, restored, set_aside).await;
    // Under whichever name it is now.
    let old = if outcome.is_ok() { set_aside } else { live };
    let mut opened = allow_connections(admin, old, true).await;
    if opened.is_err() {
        // The session may have gone with what went wrong.
        opened = match Session::patient(admin.target()).await {
            Ok(again) => allow_connections(&again, old, true).await,
            Err(error) => Err(error.into()),
        };
    }
    if let Err(error) = opened {
        ui.warn(format!(
            "'{old}' takes no connections yet ({error}): ALTER DATABASE {} ALLOW_CONNECTIONS true",
            quote(old)
        ));
    }
    outcome.map_err(failed)
}

async fn exchange(admin: &Session, live: &str, restored: &str, set_aside: &str) -> Result<(), Error> {
    // Committed at once, so that nobody new comes in.
    allow_connections(admin, live, false).await?;
    let mut left = 0;
    for _ in 0..TRIES {
        left = send_away(admin, &[live, restored]).await?;
        if left == 0 {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    if left > 0 {
        return Err(Error::StillConnected { database: live.to_owned(), count: left });
    }
    let renames = format!(
        "BEGIN; ALTER DATABASE {live} RENAME TO {aside}; ALTER DATABASE {restored} RENAME TO {live}; COMMIT",
        live = quote(live),
        aside = quote(set_aside),
        restored = quote(restored)
    );
    if let Err(error) = admin.batch_execute(&renames).await {
        let _ = admin.batch_execute("ROLLBACK").await;
        return Err(postgres::Error::asking("rename the databases")(error).into());
    }
    Ok(())
}

/// End the sessions of others; how many are left. Autovacuum is nobody's session:
/// the server itself ends it when a database is renamed.
async fn send_away(admin: &Session, databases: &[&str]) -> Result<i64, Error> {
    let failed = || postgres::Error::asking("end the sessions of others");
    let backends = "FROM pg_stat_activity WHERE datname = ANY ($1) AND usesysid IS NOT NULL \
                    AND pid <> pg_backend_pid()";
    let pids = admin.query(&format!("SELECT pid {backends}"), &[&databases]).await.map_err(failed())?;
    for pid in pids {
        // One that this role may not end, or that has ended meanwhile, is counted below.
        let _ = admin.execute("SELECT pg_terminate_backend($1)", &[&pid.get::<_, i32>(0)]).await;
    }
    let row =
        admin.query_one(&format!("SELECT count(*) {backends}"), &[&databases]).await.map_err(failed())?;
    Ok(row.get(0))
}

async fn allow_connections(admin: &Session, name: &str, allow: bool) -> Result<(), Error> {
    admin
        .batch_execute(&format!("ALTER DATABASE {} ALLOW_CONNECTIONS {allow}", quote(name)))
        .await
        .map_err(postgres::Error::asking(format!("close database '{name}' to others")))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_and_are_known_again() {
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(set_aside_name("shop", now), "shop_before_19700101t000000z");
        for live in ["shop", "a_before_b", "ü".repeat(31).as_str(), "x".repeat(63).as_str()] {
            let name = set_aside_name(live, now);
            assert!(name.len() <= LONGEST_NAME, "{name}");
            assert!(is_set_aside(&name, live), "{name}");
            assert!(!is_set_aside(&name, "other"));
        }
        assert!(!is_set_aside("shop_new_19700101t000000z", "shop"));
        assert!(!is_set_aside("shop", "shop"));
    }
}
