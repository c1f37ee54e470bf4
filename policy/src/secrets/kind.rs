//! What a secret opens, in words that hold nothing of it: a name for messages, what
//! will happen, and what to do.

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `scheme://user:password@host` of a database.
    DatabaseUrl,
    /// The same of anything else: HTTP, FTP, SSH.
    Url,
    /// `host=… password=…`, JDBC, ADO.NET, a Go DSN.
    ConnectionString,
    /// A name with a password as its value.
    Password,
    Passphrase,
    /// A line of libpq's password file.
    Pgpass,
    /// `PASSWORD '…'` of a role or a user mapping.
    SqlPassword,
    /// An argument of a command.
    Argument,
    Smtp,
    AwsAccessKeyId,
    AwsSecretKey,
    StorageKey,
    GoogleServiceAccount,
    GoogleApiKey,
    AzureStorageKey,
    AzureSas,
    AzureClientSecret,
    AgeIdentity,
    OpenPgpKey,
    SshKey,
    PrivateKey,
    SlackWebhook,
    SlackToken,
    DiscordWebhook,
    TelegramToken,
    SupabaseServiceRole,
    SupabaseToken,
    NeonToken,
    VercelToken,
    RailwayToken,
    RenderToken,
    GithubToken,
    /// A token of some other service, by its prefix or the name that it is given.
    Token,
}

impl Kind {
    /// The thing, with its article.
    pub fn noun(self) -> &'static str {
        match self {
            Self::DatabaseUrl => "password in a database URL",
            Self::Url => "password in a URL",
            Self::ConnectionString => "password in a connection string",
            Self::Password => "password written out",
            Self::Passphrase => "passphrase written out",
            Self::Pgpass => "password of a password file",
            Self::SqlPassword => "password in an SQL statement",
            Self::Argument => "password in a command",
            Self::Smtp => "password of a mail account",
            Self::AwsAccessKeyId => "AWS access key id",
            Self::AwsSecretKey => "AWS secret access key",
            Self::StorageKey => "secret key of an object store",
            Self::GoogleServiceAccount => "key of a Google service account",
            Self::GoogleApiKey => "Google API key",
            Self::AzureStorageKey => "key of an Azure account",
            Self::AzureSas => "Azure shared access signature",
            Self::AzureClientSecret => "Azure client secret",
            Self::AgeIdentity => "age identity",
            Self::OpenPgpKey => "OpenPGP private key",
            Self::SshKey => "SSH private key",
            Self::PrivateKey => "private key",
            Self::SlackWebhook => "Slack webhook",
            Self::SlackToken => "Slack token",
            Self::DiscordWebhook => "Discord webhook",
            Self::TelegramToken => "token of a Telegram bot",
            Self::SupabaseServiceRole => "service_role key of a Supabase project",
            Self::SupabaseToken => "Supabase access token",
            Self::NeonToken => "Neon API key",
            Self::VercelToken => "Vercel token",
            Self::RailwayToken => "Railway token",
            Self::RenderToken => "Render API key",
            Self::GithubToken => "GitHub token",
            Self::Token => "access token",
        }
    }

    /// What tests bring along; a database or a service that answers they do not.
    pub(super) fn is_made_for_tests(self) -> bool {
        matches!(
            self,
            Self::Url
                | Self::Password
                | Self::Passphrase
                | Self::Argument
                | Self::AgeIdentity
                | Self::OpenPgpKey
                | Self::SshKey
                | Self::PrivateKey
        )
    }

    /// Follows the noun and a colon.
    pub(super) fn consequence(self) -> &'static str {
        match self {
            Self::DatabaseUrl | Self::ConnectionString | Self::Pgpass | Self::SqlPassword => {
                "whoever reads this file can log in to the database"
            }
            Self::Url | Self::Password | Self::Argument | Self::Smtp => {
                "whoever reads this file can log in with it"
            }
            Self::Passphrase | Self::AgeIdentity | Self::OpenPgpKey => {
                "whoever reads this file can decrypt every backup that was made for it"
            }
            Self::AwsAccessKeyId
            | Self::AwsSecretKey
            | Self::StorageKey
            | Self::GoogleServiceAccount
            | Self::AzureStorageKey
            | Self::AzureSas
            | Self::AzureClientSecret => "whoever reads this file can read and delete what it protects",
            Self::SshKey | Self::PrivateKey => "whoever reads this file can pass for its owner",
            Self::SlackWebhook | Self::SlackToken | Self::DiscordWebhook | Self::TelegramToken => {
                "whoever reads this file can post in your name, false all-clears too"
            }
            Self::SupabaseServiceRole => {
                "whoever reads this file reads and writes every row, past row level security"
            }
            Self::SupabaseToken
            | Self::NeonToken
            | Self::VercelToken
            | Self::RailwayToken
            | Self::RenderToken => "whoever reads this file can delete the project and its backups",
            Self::GithubToken => "whoever reads this file can act as its owner on GitHub",
            Self::GoogleApiKey | Self::Token => "whoever reads this file can use it",
        }
    }

    /// Why it may not be enough to get in; follows the noun and a colon.
    pub(super) fn doubt(self) -> &'static str {
        match self {
            Self::AwsAccessKeyId => {
                "it says which long-lived key is in use, and its other half is often near"
            }
            Self::SqlPassword | Self::Password => {
                "a hash can be guessed at leisure, and md5 can be used as it is"
            }
            _ => "it is encrypted, and only its passphrase keeps a reader out",
        }
    }

    pub(super) fn help(self) -> &'static str {
        match self {
            Self::DatabaseUrl | Self::ConnectionString => {
                "change the password, then read it from the environment (`$DATABASE_URL`) or a password file"
            }
            Self::Pgpass => "change the password, and write the file on the machine that needs it, mode 0600",
            Self::SqlPassword => "change the password, and set it with psql's \\password or a variable",
            Self::Argument => "change it, and hand it over in a file or on standard input",
            Self::Url | Self::Password | Self::Smtp => {
                "change it, then read it from the environment or a secret store"
            }
            Self::Passphrase => {
                "what was encrypted with it must count as readable: encrypt anew, with a passphrase from a secret store"
            }
            Self::AgeIdentity | Self::OpenPgpKey => {
                "make a new pair and encrypt the backups anew; a backup job needs the public key only"
            }
            Self::AwsAccessKeyId
            | Self::AwsSecretKey
            | Self::StorageKey
            | Self::GoogleServiceAccount
            | Self::GoogleApiKey
            | Self::AzureStorageKey
            | Self::AzureSas
            | Self::AzureClientSecret => {
                "revoke it, and let the job log in with a role or federated credentials"
            }
            Self::SshKey | Self::PrivateKey => {
                "make a new pair, and remove the old public key wherever it is trusted"
            }
            Self::SupabaseServiceRole => "rotate the project's keys, then read it from a secret store",
            Self::SlackWebhook
            | Self::SlackToken
            | Self::DiscordWebhook
            | Self::TelegramToken
            | Self::SupabaseToken
            | Self::NeonToken
            | Self::VercelToken
            | Self::RailwayToken
            | Self::RenderToken
            | Self::GithubToken
            | Self::Token => "revoke it, then read the new one from a secret store",
        }
    }
}
