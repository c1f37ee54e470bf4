//! The fenced blocks of a Markdown document as units, each with the kind that its
//! language and content say and the file name that the text around it gives.

use crate::document::{Document, Kind};
use crate::parse::markdown::{Fence, Item, Kind as ItemKind, Markdown, plain};
use crate::parse::source::{Builder, Source, lines};

use super::unit::Unit;

pub fn units<'d>(document: usize, of: &'d Document, markdown: &Markdown) -> Vec<Unit<'d>> {
    let mut found = Vec::new();
    for (index, item) in markdown.items.iter().enumerate() {
        let ItemKind::Fence(fence) = &item.kind else { continue };
        let before = index.checked_sub(1).and_then(|before| markdown.items.get(before));
        let source = typed(fence.source(&of.text), fence);
        let path = before
            .and_then(|before| introduced(of, markdown, before))
            .or_else(|| first_comment(source.text()));
        let by_language = Kind::of_fence(&fence.language(), source.text());
        let kind = match (&path, by_language) {
            // `bash` under "add to `/etc/crontab`" is a crontab; a name says more than
            // a language, unless it is one of something quite different.
            (Some(path), Kind::Shell | Kind::Text | Kind::Env) => match Kind::of(path, source.text()) {
                Kind::Text | Kind::Markdown => by_language,
                kind => kind,
            },
            _ => by_language,
        };
        found.push(Unit {
            document,
            kind,
            source,
            span: fence.content,
            path,
            embedded: true,
            scripts: 0..0,
            tree: None,
            systemd: None,
            config: None,
        });
    }
    found
}

/// Of a transcript (`$ pg_dump …` and its answers) only what was typed.
fn typed<'d>(source: Source<'d>, fence: &Fence) -> Source<'d> {
    let prompt = |line: &str| line.starts_with("$ ") || line.starts_with("> ");
    let is_console = matches!(
        fence.language().as_str(),
        "console" | "shell-session" | "shellsession" | "terminal" | "bash" | "sh" | "shell" | ""
    );
    if !is_console || !source.text().lines().any(|line| line.starts_with("$ ")) {
        return source;
    }
    let mut builder = Builder::default();
    for (at, line) in lines(source.text()).filter(|(_, line)| prompt(line)) {
        builder.push(line.get(2..).unwrap_or_default(), source.offset(at + 2));
        builder.push("\n", source.offset(at + line.len()));
    }
    builder.finish()
}

/// The file that the line before a block names: "Create `x.yml`:", "**backup.sh:**".
fn introduced(document: &Document, markdown: &Markdown, before: &Item) -> Option<String> {
    let line = match &before.kind {
        ItemKind::Prose { text, .. } => document.text.get(text.start..text.end)?.to_owned(),
        ItemKind::Heading(heading) => markdown.headings.get(*heading)?.text.clone(),
        _ => return None,
    };
    let quoted = line.split('`').skip(1).step_by(2).find(|name| is_file_name(name)).map(str::to_owned);
    quoted.or_else(|| {
        let plain = plain(&line);
        let name = plain.trim_end_matches(':').trim();
        is_file_name(name).then(|| name.to_owned())
    })
}

/// `# backup_automation.sh`, `// server/backup.ts` on one of the first lines.
fn first_comment(text: &str) -> Option<String> {
    text.lines().take(3).find_map(|line| {
        let name = line.trim().trim_start_matches(['#', '/', '-', '!']).trim();
        let is_comment = line.trim_start().starts_with(['#', '/', '-']) && !line.starts_with("#!");
        (is_comment && is_file_name(name)).then(|| name.to_owned())
    })
}

fn is_file_name(text: &str) -> bool {
    const SUFFIXES: [&str; 16] = [
        ".sh", ".bash", ".yml", ".yaml", ".json", ".service", ".timer", ".env", ".sql", ".ts", ".js", ".mjs",
        ".md", ".cron", ".local", ".pgpass",
    ];
    !text.is_empty()
        && text.len() < 120
        && !text.contains(char::is_whitespace)
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-~$@".contains(&byte))
        && (SUFFIXES.iter().any(|suffix| text.ends_with(suffix))
            || text.ends_with("crontab")
            || text.contains("/.env"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::markdown;

    fn told(text: &str) -> String {
        let document = Document::new("a.md", text);
        let line = |unit: Unit<'_>| {
            format!(
                "{} {} {:?}\n",
                unit.kind.as_str(),
                unit.path.as_deref().unwrap_or("-"),
                unit.source.text()
            )
        };
        units(0, &document, &markdown::parse(text)).into_iter().map(line).collect()
    }

    #[test]
    fn blocks_have_kinds_and_names() {
        insta::assert_snapshot!(told(
            "Create `.github/workflows/b.yml`:\n\n```yaml\non: push\njobs: {}\n```\n\nAdd to `/etc/crontab`:\n```bash\n# x\n0 2 * * * root /opt/a.sh\n```\n\n**backup-script.sh:**\n```bash\nls\n```\n\n- a\n  ```bash\n  #!/bin/bash\n  # verify.sh\n  ls\n  ```\n\n```console\n$ pg_dump x\npg_dump: error\n```\n"
        ), @r##"
        workflow .github/workflows/b.yml "on: push\njobs: {}\n"
        crontab /etc/crontab "# x\n0 2 * * * root /opt/a.sh\n"
        shell backup-script.sh "ls\n"
        shell verify.sh "#!/bin/bash\n# verify.sh\nls\n"
        shell - "pg_dump x\n"
        "##);
    }
}
