//! Connection strings with a grammar of their own: Go's MySQL driver, Oracle's thin
//! driver, and calls that take user and password as their second and third argument.

use std::ops::Range;

use super::Kind;
use super::host::Host;
use super::judge::Login;
use super::scan::{Scan, is_quote, is_word};

/// `user:password@tcp(host:port)/db`; `hit` is the `@tcp(`.
pub(super) fn go(scan: &mut Scan<'_>, hit: &Range<usize>) {
    let reach = scan.since_last_dsn(hit).min(256);
    let start = scan.run_start(hit.start, reach, |byte| byte > b' ' && !b"\"'`<>".contains(&byte));
    let text = scan.part(start..hit.start);
    // `DSN=user:password@tcp(…)`
    let skipped = text.find('=').filter(|at| text.bytes().take(*at).all(is_word)).map_or(0, |at| at + 1);
    let start = start + skipped;
    let Some((user, password)) = scan.part(start..hit.start).split_once(':') else { return };
    let close = scan.run_end(hit.end, 128, |byte| byte != b')' && byte > b' ');
    let host =
        if scan.byte(hit.start + 1) == b'u' { Host::Loopback } else { Host::of(scan.part(hit.end..close)) };
    if let Some(verdict) = (Login { user, password, host: Some(host), creates: false }).verdict() {
        let value = hit.start - password.len()..hit.start;
        scan.add(start..close, value, Kind::ConnectionString, verdict);
    }
}

/// JDBC's `getConnection(url, "user", "password")`, PHP's `new PDO(dsn, …)` and
/// `mysqli(host, …)`, `new Sequelize(database, …)`; `at` is past the parenthesis.
pub(super) fn get_connection(scan: &mut Scan<'_>, at: usize) {
    let mut at = at;
    let mut literals: Vec<Range<usize>> = Vec::new();
    for number in 0..3 {
        at = blanks(scan, at);
        let mark = scan.byte(at);
        let end = if is_quote(mark) {
            let end = scan.run_end(at + 1, 512, |byte| byte != mark && byte != b'\n');
            literals.push(at + 1..end);
            end + 1
        } else {
            // The address may be a variable; then nothing is known of the host.
            literals.push(at..at);
            scan.run_end(at, 80, |byte| is_word(byte) || b".()[]$".contains(&byte))
        };
        at = blanks(scan, end);
        if number < 2 && scan.byte(at) != b',' {
            return;
        }
        at += 1;
    }
    let [url, user, password] = literals.as_slice() else { return };
    if password.is_empty() {
        return;
    }
    let url = scan.part(url.clone());
    let address = url.split_once("://").or_else(|| url.split_once("host=")).map(|(_, rest)| rest);
    let address = address.or(Some(url).filter(|url| url.contains('.') || *url == "localhost"));
    let host = address.and_then(|rest| rest.split(['/', '?', ';']).next()).map(Host::of);
    let login =
        Login { user: scan.part(user.clone()), password: scan.part(password.clone()), host, creates: false };
    if let Some(verdict) = login.verdict() {
        scan.add(password.clone(), password.clone(), Kind::ConnectionString, verdict);
    }
}

fn blanks(scan: &Scan<'_>, at: usize) -> usize {
    scan.run_end(at, 120, |byte| byte.is_ascii_whitespace())
}

/// `jdbc:oracle:thin:user/password@//host:1521/service`
pub(super) fn oracle(scan: &mut Scan<'_>, hit: &Range<usize>) {
    let end = scan.run_end(hit.end, 256, |byte| byte > b' ' && !is_quote(byte));
    let text = scan.part(hit.end..end);
    let Some((login, address)) = text.rsplit_once('@') else { return };
    let Some((user, password)) = login.split_once('/') else { return };
    let host = address.trim_start_matches('/').split(['/', ':']).next().map(Host::of);
    if let Some(verdict) = (Login { user, password, host, creates: false }).verdict() {
        let start = hit.end + user.len() + 1;
        scan.add(hit.start..end, start..start + password.len(), Kind::ConnectionString, verdict);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Place, Verdict, find};

    #[test]
    fn passwords_of_drivers_with_their_own_grammar() {
        for (text, password) in [
            ("dsn := \"app:v7Kq2mzR@tcp(db.shop.io:3306)/shop\"", "v7Kq2mzR"),
            ("DSN=app:v7K@q:2m/zR@tcp(db.shop.io:3306)/shop", "v7K@q:2m/zR"),
            ("DriverManager.getConnection(url, \"app\", \"v7Kq2mzR\");", "v7Kq2mzR"),
            ("getConnection(\"jdbc:mysql://db.shop.io/shop\",\n    \"app\", \"v7Kq2mzR\")", "v7Kq2mzR"),
            ("new PDO('pgsql:host=db.shop.io;dbname=shop', 'app', 'v7Kq2mzR');", "v7Kq2mzR"),
            ("new Sequelize('shop', 'app', 'v7Kq2mzR', { host })", "v7Kq2mzR"),
            ("jdbc:oracle:thin:app/v7Kq2mzR@//db.shop.io:1521/x", "v7Kq2mzR"),
        ] {
            let found = find(text, Place::of("x.java"));
            let values: Vec<_> =
                found.iter().flat_map(|secret| &secret.values).map(|v| &text[v.start..v.end]).collect();
            assert_eq!(values, [password], "{text}");
            assert_eq!(found[0].verdict, Verdict::Leaked);
        }
        assert_eq!(find("getConnection(url, user, password)", Place::default()), []);
        assert_eq!(
            find("getConnection(\"jdbc:mysql://localhost/x\", \"root\", \"root\")", Place::default())[0]
                .verdict,
            Verdict::Development
        );
    }
}
