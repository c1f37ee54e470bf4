//! A labelled set of texts, made from shapes and a seed: credentials that were never
//! used, placeholders that people write, and the defaults of development. Used by the
//! tests and by the measurement, so both speak of the same set.

use backstop_policy::secrets::Verdict;

/// One text with the verdict that a person would give; `None` is silence.
pub struct Case {
    pub family: &'static str,
    pub path: &'static str,
    pub text: String,
    pub wanted: Option<Verdict>,
}

/// The same seed makes the same set.
pub fn set(seed: u64) -> Vec<Case> {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut cases = Vec::new();
    urls(&mut random, &mut cases);
    strings(&mut random, &mut cases);
    assignments(&mut random, &mut cases);
    tokens(&mut random, &mut cases);
    placeholders(&mut random, &mut cases);
    defaults(&mut random, &mut cases);
    cases
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % limit
    }

    fn of<'t>(&mut self, list: &[&'t str]) -> &'t str {
        list[self.below(list.len())]
    }

    fn text(&mut self, alphabet: &str, length: usize) -> String {
        let bytes = alphabet.as_bytes();
        (0..length).map(|_| char::from(bytes[self.below(bytes.len())])).collect()
    }

    fn made(&mut self, length: usize) -> String {
        // A letter and a figure in any case.
        format!("k{}7", self.text(BASE62, length - 2))
    }

    /// What a person chooses, or a machine.
    fn password(&mut self) -> String {
        let word = self.of(WORDS);
        match self.below(5) {
            0 => format!("{}{}{}", capital(word), self.below(9000) + 1000, self.of(&["?", "!", "*", ""])),
            1 => format!("{word}{}{}", self.below(900) + 100, self.text("abcdefghijkmnpqrstuvwxyz", 2)),
            2 => format!("{}-{}-{}", word, self.of(WORDS), self.below(90) + 10),
            3 => self.made(16),
            _ => self.made(24),
        }
    }

    fn host(&mut self) -> String {
        let lower = "abcdefghijklmnopqrstuvwxyz";
        match self.below(7) {
            0 => format!("aws-{}-eu-west-1.pooler.supabase.com", self.below(2)),
            1 => format!("db.{}.supabase.co", self.text(lower, 20)),
            2 => format!(
                "ep-{}-{}-{}.eu-central-1.aws.neon.tech",
                self.of(WORDS),
                self.of(WORDS),
                self.below(90_000_000) + 10_000_000
            ),
            3 => format!(
                "{}.{}.eu-west-1.rds.amazonaws.com",
                self.of(WORDS),
                self.text("bcdfghjkmnpqrst23456789", 12)
            ),
            4 => format!("dpg-{}.frankfurt-postgres.render.com", self.text("bcdfghjkmnpq23456789", 20)),
            5 => format!(
                "{}.{}.{}.{}",
                45 + self.below(20),
                10 + self.below(200),
                self.below(250),
                1 + self.below(250)
            ),
            _ => format!("db.{}{}.io", self.of(WORDS), self.of(WORDS)),
        }
    }

    fn user(&mut self) -> String {
        match self.below(4) {
            0 => format!("postgres.{}", self.text("abcdefghijklmnopqrstuvwxyz", 20)),
            1 => format!("{}_owner", self.of(WORDS)),
            2 => "doadmin".to_owned(),
            _ => "app".to_owned(),
        }
    }

    /// A URL in a text as it may stand in some file.
    fn around(&mut self, url: &str) -> (&'static str, String) {
        match self.below(8) {
            0 => ("prod.env", format!("DATABASE_URL={url}\n")),
            1 => ("backup.sh", format!("pg_dump \"{url}\" | gzip > x.gz\n")),
            2 => ("deploy.yml", format!("    DATABASE_URL: {url}\n")),
            3 => ("config.json", format!("{{\"url\": \"{url}\"}}\n")),
            4 => ("notes.md", format!("- **Connection**: `{url}`\n")),
            5 => ("db.ts", format!("const url = '{url}';\n")),
            6 => ("db.py", format!("URL = \"{url}\"\n")),
            _ => ("backup.sh", format!("# {url}\n")),
        }
    }
}

fn capital(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    format!("{}{rest}", first.to_ascii_uppercase())
}

const BASE62: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const HEX: &str = "0123456789abcdef";
const WORDS: &[&str] = &[
    "amber", "birch", "cedar", "delta", "ember", "falcon", "garnet", "harbor", "indigo", "juniper",
    "kestrel", "linden", "maple", "nimbus", "orchid", "pepper", "quartz", "raven", "saffron", "tulip",
    "umber", "violet", "willow", "yarrow",
];

fn urls(random: &mut Random, cases: &mut Vec<Case>) {
    let mut leak = |random: &mut Random, family, url: String| {
        let (path, text) = random.around(&url);
        cases.push(Case { family, path, text, wanted: Some(Verdict::Leaked) });
    };
    for number in 0..5 {
        let (left, right) = (random.of(WORDS), random.below(900) + 100);
        let raw = ["@", "@", "@@", "@", "@"][number];
        let password = if number == 1 {
            format!("{raw}{left}{right}")
        } else {
            format!("{}{raw}{right}", capital(left))
        };
        let url = format!("postgresql://{}:{password}@{}:6543/postgres", random.user(), random.host());
        leak(random, "url, raw @", url);
    }
    for mark in ["/", "#", "?"] {
        let url = format!(
            "postgres://{}:{}{mark}{}@{}/shop",
            random.user(),
            capital(random.of(WORDS)),
            random.below(900) + 100,
            random.host()
        );
        leak(random, "url, raw", url);
    }
    for scheme in [
        "postgres",
        "postgresql",
        "postgresql+psycopg2",
        "postgresql+asyncpg",
        "postgis",
        "mysql",
        "mariadb",
        "mysql+pymysql",
        "mongodb+srv",
        "redis",
        "rediss",
        "amqp",
        "amqps",
        "cockroachdb",
    ] {
        for port in ["", ":5432"] {
            let port = if scheme == "mongodb+srv" { "" } else { port };
            let url =
                format!("{scheme}://{}:{}@{}{port}/shop", random.user(), random.password(), random.host());
            leak(random, "url", url);
        }
    }
    let (user, password, host, other) = (random.user(), random.password(), random.host(), random.host());
    leak(random, "url, hosts", format!("postgresql://{user}:{password}@{host}:5432,{other}:5432/shop"));
    let last = random.below(9000);
    leak(random, "url, IPv6", format!("postgresql://{user}:{password}@[2a01:4f8:1::{last}]:5432/shop"));
    leak(
        random,
        "url, query",
        format!("postgresql://{host}/shop?user={user}&password={password}&sslmode=require"),
    );
    leak(random, "url, JDBC", format!("jdbc:postgresql://{host}:5432/shop?user={user}&password={password}"));
    leak(random, "url, redis", format!("redis://:{password}@{host}:6379"));
    let same = random.of(WORDS);
    let cluster = random.text(HEX, 3);
    leak(
        random,
        "url, user as password",
        format!("mongodb+srv://{same}:{same}@cluster0.q{cluster}z.mongodb.net/x"),
    );
    for (path, text) in [
        ("a.json", format!("{{\"url\": \"postgresql:\\/\\/{user}:{password}@{host}:5432\\/shop\"}}")),
        ("a.ts", format!("const url = 'postgresql://{user}:' + '{password}' + '@{host}/shop';")),
        ("a.py", format!("url = (\"postgresql://{user}:\"\n       \"{password}@{host}/shop\")")),
        ("a.ts", format!("const url = `postgresql://{user}:{password}@${{db.endpoint}}/app`;")),
        ("a.tf", format!("url = \"postgres://{user}:{password}@${{aws_db.main.address}}/app\"")),
    ] {
        cases.push(Case { family: "url, put together", path, text, wanted: Some(Verdict::Leaked) });
    }
}

fn strings(random: &mut Random, cases: &mut Vec<Case>) {
    let (user, password, host) = (random.user(), random.password(), random.host());
    let leaks = [
        ("a.sh", format!("psql \"host={host} user={user} password={password} dbname=shop\"")),
        ("a.py", format!("conn = psycopg2.connect(\"host={host} user={user} password={password}\")")),
        (
            "a.py",
            format!("conn = psycopg2.connect(host=\"{host}\", user=\"{user}\", password=\"{password}\")"),
        ),
        ("a.ini", format!("[db]\nhost = {host}\nuser = {user}\npassword = {password}\n")),
        ("a.py", format!("dsn = \"host={host} user={user} password='two {password}'\"")),
        ("a.config", format!("Server={host};Port=5432;User Id={user};Password={password};Database=shop;")),
        ("a.json", format!("{{\"Default\": \"Host={host};Username={user};Password={password}\"}}")),
        ("a.go", format!("db, err := sql.Open(\"mysql\", \"{user}:{password}@tcp({host}:3306)/shop\")")),
        ("a.java", format!("DriverManager.getConnection(url, \"{user}\", \"{password}\");")),
        (
            "a.properties",
            format!(
                "spring.datasource.url=jdbc:postgresql://{host}/shop\nspring.datasource.password={password}\n"
            ),
        ),
        (".pgpass", format!("{host}:5432:shop:{user}:{password}\n")),
        ("a.sh", format!("echo \"{host}:5432:shop:{user}:{password}\" > ~/.pgpass\n")),
        ("a.sh", format!("cat > ~/.pgpass <<EOF\n{host}:5432:*:{user}:{password}\nEOF\n")),
        ("a.sql", format!("SELECT dblink_connect('host={host} user={user} password={password}');")),
        (
            "a.sql",
            format!("CREATE USER MAPPING FOR app SERVER far OPTIONS (user '{user}', password '{password}');"),
        ),
        ("a.sql", format!("ALTER ROLE {user} WITH LOGIN PASSWORD '{password}';")),
        ("a.sql", format!("CREATE USER 'app'@'%' IDENTIFIED BY '{password}';")),
        (
            "drizzle.config.ts",
            format!("dbCredentials: {{\n  host: '{host}',\n  user: '{user}',\n  password: '{password}',\n}}"),
        ),
    ];
    cases.extend(leaks.map(|(path, text)| Case {
        family: "string",
        path,
        text,
        wanted: Some(Verdict::Leaked),
    }));
}

fn assignments(random: &mut Random, cases: &mut Vec<Case>) {
    let shapes: &[(&str, &str)] = &[
        ("a.sh", "PGPASSWORD=@ pg_dump shop"),
        ("a.sh", "export PGPASSWORD='@'"),
        ("a.sh", "PGPASSWORD=\"${PGPASSWORD:-@}\""),
        ("a.bat", "set PGPASSWORD=@"),
        ("a.ps1", "$env:PGPASSWORD = \"@\""),
        ("Dockerfile", "ENV PGPASSWORD=@"),
        ("a.fish", "set -gx PGPASSWORD @"),
        ("a.service", "Environment=PGPASSWORD=@"),
        ("a.yaml", "env:\n  - {name: PGPASSWORD, value: \"@\"}"),
        ("a.yaml", "env:\n  - name: PGPASSWORD\n    value: \"@\""),
        ("a.json", "{\"name\": \"PGPASSWORD\", \"value\": \"@\"}"),
        (".gitlab-ci.yml", "variables:\n  PGPASSWORD: \"@\""),
        (".github/workflows/b.yml", "      - run: echo \"PGPASSWORD=@\" >> \"$GITHUB_ENV\""),
        ("a.sh", "docker run --rm -e PGPASSWORD=@ postgres:16 pg_dump shop"),
        ("a.py", "os.environ[\"PGPASSWORD\"] = \"@\""),
        ("a.ts", "execSync(`PGPASSWORD=@ pg_dump shop`)"),
        ("a.env", "SMTP_PASSWORD=@"),
        ("a.env", "RESTIC_PASSWORD=@"),
        ("a.conf", "repo1-cipher-pass=@"),
        ("a.sh", "openssl enc -aes-256-cbc -pbkdf2 -pass pass:@ -in x"),
        ("a.sh", "gpg --batch --symmetric --passphrase '@' x"),
        ("a.sh", "mysqldump -u root -p@ shop > x"),
        ("a.sh", "sshpass -p '@' scp x db:"),
        ("a.sh", "redis-cli -a @ --rdb x"),
        ("a.yaml", "kind: Secret\nstringData:\n  password: @\n"),
    ];
    for (path, shape) in shapes {
        let password = random.password().replace(['?', '*'], "x");
        let text = shape.replace('@', &password);
        cases.push(Case { family: "assignment", path, text, wanted: Some(Verdict::Leaked) });
    }
}

fn tokens(random: &mut Random, cases: &mut Vec<Case>) {
    let slack = format!(
        "https://hooks.{}.com/services/T{}/B{}/{}",
        "slack",
        random.text("23456789ABCDEFGH", 9),
        random.text("23456789ABCDEFGH", 9),
        random.made(24)
    );
    let discord =
        format!("https://discord.com/api/webhooks/11{}/{}", random.text("0123456789", 17), random.made(68));
    let leaks = [
        format!("AWS_SECRET_ACCESS_KEY={}", random.made(40)),
        format!(
            "aws_access_key_id = AKIA{}\naws_secret_access_key = {}",
            random.text("ABCDEFGHJKLMNPQRSTUVWXYZ234567", 16),
            random.made(40)
        ),
        format!("AccountName=shop;AccountKey={}==;EndpointSuffix=core.windows.net", random.made(86)),
        format!(
            "AZCOPY=https://shop.blob.core.windows.net/b?sv=2025-01-05&sp=rwl&se=2027-01-01&sig={}%3D",
            random.made(43)
        ),
        format!("SUPABASE_ACCESS_TOKEN=sbp_{}", random.text(HEX, 38) + "a1"),
        format!("NEON_API_KEY=napi_{}", random.made(64).to_lowercase()),
        format!("VERCEL_TOKEN={}", random.made(24)),
        format!(
            "RAILWAY_TOKEN={}-{}-4{}-a{}-{}",
            random.text(HEX, 8),
            random.text(HEX, 4),
            random.text(HEX, 3),
            random.text(HEX, 3),
            random.text(HEX, 12)
        ),
        format!("RENDER_API_KEY=rnd_{}", random.made(28)),
        format!("SLACK_WEBHOOK_URL={slack}"),
        format!("DISCORD={discord}"),
        format!("BLOB_READ_WRITE_TOKEN=vercel_blob_rw_{}_{}", random.made(16), random.made(30)),
        format!(
            "-----{0} PRIVATE KEY-----\n{1}\n{2}\n-----{3} PRIVATE KEY-----",
            "BEGIN",
            random.text(BASE62, 64),
            random.text(BASE62, 64),
            "END"
        ),
    ];
    cases.extend(leaks.map(|text| Case {
        family: "token",
        path: "a.env",
        text,
        wanted: Some(Verdict::Leaked),
    }));
}

fn placeholders(random: &mut Random, cases: &mut Vec<Case>) {
    let urls = [
        "postgresql://postgres:password@db.xxx.supabase.co:5432/postgres",
        "postgresql://postgres:[YOUR-PASSWORD]@db.[PROJECT-REF].supabase.co:5432/postgres",
        "postgresql://<user>:<pass>@<host>:5432/<db>",
        "postgresql://usuario:senha@localhost:5432/banco",
        "postgresql://usuario:contraseña@servidor.es/base",
        "postgresql://postgres:SENHA@db.abc.supabase.co/postgres",
        "postgresql://USER:PASS@HOST.neon.tech/db",
        "postgresql://user:pass@new-host:5432/kct",
        "postgresql://postgres:****@db.shop.io/x",
        "postgresql://postgres:[REDACTED]@db.shop.io/x",
        "postgresql://postgres:•••@db.shop.io/x",
        "postgresql://app:${PGPASSWORD}@db.shop.io/x",
        "postgresql://app:$PGPASSWORD@db.shop.io/x",
        "postgresql://app:${{ secrets.PW }}@db.shop.io/x",
        "postgresql://app:{{ pw }}@db.shop.io/x",
        "postgresql://username:password@hostname:5432/database",
        "postgres://user:password@example.com/db",
        "mysql://root:your_password@localhost/db",
        "mongodb+srv://<username>:<password>@cluster0.xxxxx.mongodb.net/",
        "redis://:changeme@redis.example.com:6379",
        "postgresql://johndoe:randompassword@localhost:5432/mydb",
        "postgresql://app@db.shop.io/x",
        "postgresql://db.shop.io:5432/x?sslmode=require",
        "s3://bucket/daily/2024-01-01.dump",
        "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
    ];
    for url in urls {
        let (path, text) = random.around(url);
        cases.push(Case { family: "placeholder, url", path, text, wanted: None });
    }
    let texts = [
        ("a.sh", "PGPASSWORD=\"$(vault kv get -field=pw secret/db)\" pg_dump"),
        ("a.env", "PGPASSWORD=op://vault/db/password"),
        ("a.yml", "PGPASSWORD: vault:secret/data/db#pw"),
        ("a.yml", "password: ENC[AES256_GCM,data:x,iv:y]"),
        ("a.properties", "spring.datasource.password=ENC(qWeRtY123456)"),
        ("a.yml", "password: !vault |\n  $ANSIBLE_VAULT;1.1;AES256"),
        ("a.env.example", "DB_PASSWORD=your_database_password"),
        ("a.env.example", "SMTP_PASSWORD="),
        ("a.env", "AWS_SECRET_ACCESS_KEY=your-secret"),
        ("a.yml", "AWS_SECRET_ACCESS_KEY: ${{ secrets.AWS_SECRET_ACCESS_KEY }}"),
        ("a.sh", "openssl enc -pass pass:\"$PW\" -in x"),
        ("a.sh", "openssl enc -pass env:PW -in x"),
        ("a.sh", "mysqldump -u root -p\"$MYSQL_PWD\" shop"),
        ("a.sh", "gpg --passphrase-file /run/pw -c x"),
        ("a.py", "url = f\"postgresql://{user}:{password}@{host}/{db}\""),
        ("a.py", "url = url.replace(\"postgres://\", \"postgresql://\")"),
        ("a.ts", "password: process.env.PGPASSWORD,"),
        ("a.ts", "const { host, user, password } = config;"),
        ("a.tf", "password = var.db_password"),
        ("a.yml", "- name: PGPASSWORD\n  valueFrom: {secretKeyRef: {name: db, key: password}}"),
        ("a.yml", "POSTGRES_PASSWORD_FILE: /run/secrets/db"),
        ("a.md", "Rotate the database password: every quarter"),
        ("a.md", "5. Copy the password and keep it safe"),
        ("a.md", "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"),
        ("a.json", "{\"password\": \"Enter your password\", \"forgotPassword\": \"Forgot password?\"}"),
        (".pgpass", "# hostname:port:database:username:password\n"),
        ("a.sh", "echo \"$HOST:5432:$DB:$USER:$PW\" > ~/.pgpass"),
        ("compose.yml", "    ports: [\"127.0.0.1:5432:5432\"]"),
    ];
    cases.extend(texts.map(|(path, text)| Case {
        family: "placeholder",
        path,
        text: text.to_owned(),
        wanted: None,
    }));
}

fn defaults(random: &mut Random, cases: &mut Vec<Case>) {
    let made = random.made(14);
    let word = random.of(WORDS);
    let urls = [
        "postgres://postgres:postgres@localhost:5432/shop".to_owned(),
        "postgres://postgres:postgres@db:5432/shop".to_owned(),
        "postgresql://app:app@127.0.0.1/app".to_owned(),
        "postgresql://root:root@host.docker.internal:5432/x".to_owned(),
        "mysql://root:root@mysql:3306/x".to_owned(),
        "amqp://guest:guest@rabbitmq:5672".to_owned(),
        "mongodb://root:example123x@mongo:27017".to_owned(),
        format!("postgresql://{word}:{word}@localhost/{word}"),
        format!("postgresql://{word}:{made}@localhost/{word}"),
        format!("postgresql://{word}:{made}@192.168.1.{}/{word}", random.below(250) + 1),
        format!("postgresql://{word}:{made}@10.0.0.{}:5432/{word}", random.below(250) + 1),
        format!("postgresql://{word}:{made}@postgres:5432/{word}"),
        "postgresql://postgres:password@localhost:5432/shop".to_owned(),
        "postgresql://postgres:password123@db/shop".to_owned(),
        "postgresql://postgres:test@[::1]:5432/shop".to_owned(),
    ];
    for url in urls {
        let (path, text) = random.around(&url);
        cases.push(Case { family: "default, url", path, text, wanted: Some(Verdict::Development) });
    }
    let texts = [
        ("compose.yml", "      POSTGRES_PASSWORD: postgres"),
        ("compose.yml", "      POSTGRES_PASSWORD: password"),
        ("compose.yml", "      MYSQL_ROOT_PASSWORD: root"),
        ("compose.yml", "      MINIO_ROOT_PASSWORD: minioadmin"),
        ("compose.yml", "      - POSTGRES_PASSWORD=postgres"),
        ("compose.yml", "      POSTGRES_USER: shop\n      POSTGRES_PASSWORD: shop"),
        (".github/workflows/ci.yml", "        env:\n          POSTGRES_PASSWORD: ci-9dk2-only"),
        ("a.sh", "PGPASSWORD=postgres psql -h localhost"),
        ("a.sh", "PGPASSWORD=\"${PGPASSWORD:-app}\""),
        ("a.env", "DB_HOST=localhost\nDB_PASSWORD=v7Kq2mzR"),
        ("a.env", "PGPASSWORD=admin123"),
        ("a.sql", "CREATE ROLE app LOGIN PASSWORD 'app';"),
    ];
    cases.extend(texts.map(|(path, text)| Case {
        family: "default",
        path,
        text: text.to_owned(),
        wanted: Some(Verdict::Development),
    }));
}
