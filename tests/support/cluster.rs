//! Throwaway servers for the stories, with a way to run SQL and a shop to lose.

use backstop::postgres::cluster::{Cluster, ClusterOptions};
use backstop::postgres::tools::ServerTools;
use tokio_postgres::{NoTls, SimpleQueryMessage};

use super::tools;

/// The shop that `backstop demo` loads.
pub const SHOP: &str = include_str!("../../cli/src/demo/shop.sql");

/// A running server of a chosen major version; it goes when it is dropped.
pub struct Server {
    pub cluster: Cluster,
}

impl Server {
    pub async fn start(major: u32) -> Self {
        Self::start_with(major, &ClusterOptions::default()).await
    }

    pub async fn start_with(major: u32, options: &ClusterOptions) -> Self {
        let programs = server_tools(major).await;
        Self { cluster: Cluster::start(&programs, options).await.unwrap() }
    }

    /// What tells any program of PostgreSQL, and ours, where this server is.
    pub fn environment(&self) -> [(&'static str, String); 3] {
        let socket = self.cluster.socket_dir().to_str().unwrap().to_owned();
        [
            ("PGHOST", socket),
            ("PGPORT", self.cluster.port().to_string()),
            ("PGUSER", self.cluster.user().to_owned()),
        ]
    }

    /// All that it has said so far.
    pub fn log(&self) -> String {
        let log = std::fs::read(self.cluster.socket_dir().join("log")).unwrap();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Run any number of statements in one session. The answer is as psql
    /// prints it with `-A -t`: a line a row, `|` between the columns.
    pub async fn sql(&self, database: &str, statements: &str) -> String {
        let (client, connection) = self.cluster.config(database).connect(NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        let messages = client.simple_query(statements).await.unwrap_or_else(|cause| {
            let said = cause.as_db_error().map_or_else(|| cause.to_string(), ToString::to_string);
            panic!("{said}\nin: {}", statements.chars().take(500).collect::<String>())
        });
        drop(client);
        connection.await.unwrap().unwrap();
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                let columns = (0..row.len()).map(|column| row.get(column).unwrap_or_default());
                Some(columns.collect::<Vec<_>>().join("|"))
            }
            _ => None,
        });
        rows.collect::<Vec<_>>().join("\n")
    }

    /// Make a database with the shop in it; `scale` 1 is about 130,000 rows.
    pub async fn create_shop(&self, database: &str, scale: f64) {
        self.sql("postgres", &format!("CREATE DATABASE \"{database}\" TEMPLATE template0")).await;
        self.sql(database, &format!("SET shop.scale = '{scale}';\n{SHOP}")).await;
    }
}

pub async fn server_tools(major: u32) -> ServerTools {
    ServerTools::at(tools::postgres(major)).await.unwrap()
}

/// The zoo from which the golden archives are made, in plain SQL.
pub fn zoo() -> String {
    let text = include_str!("../fixtures/archives/zoo.sql");
    text.lines().filter(|line| !line.starts_with("\\set ")).collect::<Vec<_>>().join("\n")
}

/// Objects that a backup or a comparison is likely to get wrong, as far as a
/// server of this major knows them: a line `-- since 15` begins what older
/// servers lack.
pub fn awkward(major: u32) -> String {
    let text = include_str!("awkward.sql");
    let known = |section: &&str| {
        let since = section.split_once('\n').and_then(|(since, _)| since.parse().ok()).unwrap_or(0);
        since <= major
    };
    text.split("-- since ").filter(known).map(|section| format!("-- {section}")).collect()
}
