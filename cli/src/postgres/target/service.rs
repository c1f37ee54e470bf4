//! Service files (`~/.pg_service.conf`, `pg_service.conf`), by libpq's rules
//! (`parseServiceInfo`, fe-connect.c): the section of a service fills the
//! parameters that were not given.

use std::path::{Path, PathBuf};

use super::parameters::Parameters;
use crate::postgres::Error;

/// Where packages keep the system's file, unless `PGSYSCONFDIR` says otherwise.
const SYSTEM_DIRECTORIES: [&str; 3] = ["/etc/postgresql-common", "/etc/sysconfig/pgsql", "/etc"];

/// Fill `parameters` from their service, where they name one.
pub(super) fn fill(
    parameters: &mut Parameters,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<(), Error> {
    let Some(service) = parameters.get("service").map(str::to_owned).or_else(|| environment("PGSERVICE"))
    else {
        return Ok(());
    };
    let named = parameters.get("servicefile").map(str::to_owned).or_else(|| environment("PGSERVICEFILE"));
    let mut files = Vec::new();
    match named {
        Some(file) => files.push(PathBuf::from(file)),
        None => files.extend(environment("HOME").map(|home| Path::new(&home).join(".pg_service.conf"))),
    }
    match environment("PGSYSCONFDIR") {
        Some(directory) => files.push(Path::new(&directory).join("pg_service.conf")),
        None => {
            files.extend(SYSTEM_DIRECTORIES.map(|directory| Path::new(directory).join("pg_service.conf")));
        }
    }
    for file in files {
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(source) => return Err(Error::File { what: "service file", path: file, source }),
        };
        if section(&text, &service, &file, parameters)? {
            return Ok(());
        }
    }
    Err(Error::NoService { service })
}

/// Fill from the first section of that name; whether there was one.
fn section(text: &str, service: &str, file: &Path, parameters: &mut Parameters) -> Result<bool, Error> {
    let mut inside = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let wrong = |reason| Error::BadFileLine { path: file.to_owned(), line: index + 1, reason };
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            if inside {
                return Ok(true);
            }
            // libpq compares up to the bracket and takes what follows for a comment.
            inside = name.split_once(']').is_some_and(|(name, _)| name == service);
            continue;
        }
        if !inside {
            continue;
        }
        if line.starts_with("ldap") {
            return Err(wrong("LDAP look-ups of services are not supported"));
        }
        let (keyword, value) = line.split_once('=').ok_or_else(|| wrong("there is no '='"))?;
        if matches!(keyword, "service" | "servicefile") {
            return Err(wrong("a service may not name another service"));
        }
        parameters.fill(keyword, value).map_err(|_| wrong("this is not a connection parameter"))?;
    }
    Ok(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# ours\n[other]\nhost=wrong\n\n[shop]\n  host=db.example.com  \nport=6000\nuser=app\n[shop]\nport=7\n";

    fn read(text: &str, given: &[(&str, &str)]) -> Result<(bool, Parameters), Error> {
        let mut parameters = Parameters::default();
        for (keyword, value) in given {
            parameters.set(keyword, *value)?;
        }
        let found = section(text, "shop", Path::new("pg_service.conf"), &mut parameters)?;
        Ok((found, parameters))
    }

    #[test]
    fn the_section_fills_what_was_not_given() {
        let (found, parameters) = read(FILE, &[("user", "me")]).ok().unwrap();
        assert!(found);
        assert_eq!(parameters.given("host"), Some("db.example.com"));
        assert_eq!(parameters.given("port"), Some("6000"));
        assert_eq!(parameters.given("user"), Some("me"));
    }

    #[test]
    fn a_bad_line_is_named() {
        for (line, reason) in [
            ("port", "no '='"),
            ("prot=1", "not a connection parameter"),
            ("port = 1", "not a connection parameter"),
            ("service=x", "another service"),
        ] {
            let error = read(&format!("[shop]\nhost=a\n{line}\n"), &[]).err().unwrap().to_string();
            assert!(error.contains("pg_service.conf:3") && error.contains(reason), "{error}");
        }
        assert!(!read("[x]\nport\n", &[]).ok().unwrap().0);
    }

    #[test]
    fn a_service_that_is_nowhere_is_an_error() {
        let mut parameters = Parameters::default();
        let environment = |name: &str| match name {
            "PGSERVICE" => Some("nosuch".to_owned()),
            "PGSYSCONFDIR" => Some("/nonexistent".to_owned()),
            _ => None,
        };
        let error = fill(&mut parameters, &environment).err().unwrap();
        assert_eq!(error.to_string(), "service 'nosuch' is in no service file");
    }
}
