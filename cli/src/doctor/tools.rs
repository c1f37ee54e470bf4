//! The programs that a dump and a trial restore need, and who can open what is
//! sealed. What was found comes in; this only judges.

use std::path::Path;

use crate::error::Advise;

use super::Check;

/// A PostgreSQL program that was found.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    pub major: u32,
    pub path: &'a Path,
}

/// `pg_dump` and `pg_restore` for a server of a major version.
pub fn client(server_major: u32, found: Result<Found<'_>, &dyn Advise>) -> Check {
    const NAME: &str = "client-tools";
    match found {
        Err(error) => Check::failed(NAME, error),
        Ok(found) if found.major < server_major => Check::error(
            NAME,
            format!("pg_dump {} cannot dump server version {server_major}", found.major),
            format!("install postgresql-client-{server_major}"),
        ),
        Ok(found) if found.major > server_major => Check {
            fix: Some(format!(
                "to restore with version {server_major} as well, install postgresql-client-{server_major}"
            )),
            ..Check::ok(
                NAME,
                format!(
                    "pg_dump {} in '{}', newer than the server ({server_major})",
                    found.major,
                    found.path.display()
                ),
            )
        },
        Ok(found) => Check::ok(NAME, format!("pg_dump {} in '{}'", found.major, found.path.display())),
    }
}

/// A server for trial restores, of the same major version as the source.
pub fn trial_server(server_major: u32, found: Result<Found<'_>, &dyn Advise>) -> Check {
    const NAME: &str = "trial-server";
    match found {
        // A backup can be made without; only its proof cannot.
        Err(error) => {
            let failed = Check::failed(NAME, error);
            let fix = failed
                .fix
                .unwrap_or_else(|| format!("install postgresql-{server_major}, or verify with `--on URL`"));
            Check::warning(NAME, failed.message, fix)
        }
        Ok(found) if found.major != server_major => Check::warning(
            NAME,
            format!(
                "trial restores would run on PostgreSQL {}, but the server is {server_major}",
                found.major
            ),
            format!("install postgresql-{server_major}, or verify with `--on URL`"),
        ),
        Ok(found) => Check::ok(
            NAME,
            format!("PostgreSQL {} in '{}' for trial restores", found.major, found.path.display()),
        ),
    }
}

/// Who can open the backups: how many recipients were read, or why one could not be.
pub fn recipients(read: Result<usize, &dyn Advise>) -> Check {
    const NAME: &str = "recipients";
    match read {
        Err(error) => Check::failed(NAME, error),
        Ok(0) => Check::warning(
            NAME,
            "backups are not encrypted",
            "run `backstop key generate` and put the recipient under `encryption: recipients:`",
        ),
        Ok(1) => Check::warning(
            NAME,
            "one recipient: if its identity is lost, so is every backup",
            "add a second recipient whose identity is kept elsewhere",
        ),
        Ok(count) => Check::ok(NAME, format!("{count} recipients, each can open every backup")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;
    use crate::postgres;

    #[test]
    fn a_client_must_not_be_older_than_the_server() {
        let path = Path::new("/usr/lib/postgresql/bin");
        let found = |major| Ok(Found { major, path });
        for (major, expected) in [(15, Status::Error), (16, Status::Ok), (17, Status::Ok)] {
            assert_eq!(client(16, found(major)).status, expected, "{major}");
        }
        for (major, expected) in [(15, Status::Warning), (16, Status::Ok), (17, Status::Warning)] {
            assert_eq!(trial_server(16, found(major)).status, expected, "{major}");
        }
        let error = postgres::Error::NoUser;
        assert_eq!(client(16, Err(&error)).status, Status::Error);
        let trial = trial_server(16, Err(&error));
        assert_eq!((trial.status, trial.fix.is_some()), (Status::Warning, true));
    }

    #[test]
    fn one_recipient_is_one_too_few() {
        assert_eq!(recipients(Ok(0)).status, Status::Warning);
        assert_eq!(recipients(Ok(1)).status, Status::Warning);
        assert_eq!(recipients(Ok(2)).status, Status::Ok);
    }
}
