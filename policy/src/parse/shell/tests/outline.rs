//! A tree as one line of text: words in their decoded form, everything else in
//! parentheses.

use crate::parse::shell::*;

pub fn outline(text: &str) -> String {
    let script = parse(text);
    let mut out = list(&script, &script.body, "\n");
    for heredoc in &script.heredocs {
        out += &format!("\n<<{} {}", heredoc.delimiter, word(&script, &heredoc.body));
        if let Some(inline) = &heredoc.script {
            out += &format!("\n  = {}", list(&inline.script, &inline.script.body, "; "));
        }
    }
    for problem in &script.problems {
        out += &format!("\n! {} at {:?}", problem.message, &text[problem.span.start..problem.span.end]);
    }
    out
}

fn list(script: &Script, statements: &List, separator: &str) -> String {
    statements.iter().map(|one| statement(script, one)).collect::<Vec<_>>().join(separator)
}

fn statement(script: &Script, statement: &Statement) -> String {
    let mut out = pipeline(script, &statement.first);
    for (join, next) in &statement.rest {
        out += if *join == Join::And { " && " } else { " || " };
        out += &pipeline(script, next);
    }
    out + if statement.background { " &" } else { "" }
}

fn pipeline(script: &Script, pipeline: &Pipeline) -> String {
    let commands: Vec<_> = pipeline.commands.iter().map(|one| command(script, one)).collect();
    format!("{}{}", if pipeline.negated { "! " } else { "" }, commands.join(" | "))
}

fn command(script: &Script, command: &Command) -> String {
    let mut out = match &command.kind {
        Kind::Simple(one) => simple(script, one),
        Kind::Group(inner) => format!("(group {})", list(script, inner, "; ")),
        Kind::Subshell(inner) => format!("(subshell {})", list(script, inner, "; ")),
        Kind::If { arms, otherwise } => {
            let mut out = "(if".to_owned();
            for arm in arms {
                out += &format!(" [{}] {}", list(script, &arm.condition, "; "), body(script, &arm.body));
            }
            if let Some(otherwise) = otherwise {
                out += &format!(" else {}", body(script, otherwise));
            }
            out + ")"
        }
        Kind::While { until, arm } => {
            let keyword = if *until { "until" } else { "while" };
            format!("({keyword} [{}] {})", list(script, &arm.condition, "; "), body(script, &arm.body))
        }
        Kind::For { variable, words: items, body: inner } => {
            let variable = variable.as_deref().unwrap_or("-");
            format!("(for {variable} in {} {})", words(script, items), body(script, inner))
        }
        Kind::Case { subject, arms } => {
            let mut out = format!("(case {}", word(script, subject));
            for arm in arms {
                out += &format!(" {} => {}", words(script, &arm.patterns), body(script, &arm.body));
            }
            out + ")"
        }
        Kind::Function { name, body } => format!("(function {name} {})", self::command(script, body)),
        Kind::Test(items) => format!("(test {})", words(script, items)),
        Kind::Arithmetic(inner) => format!("(arithmetic {})", word(script, inner)),
        Kind::Opaque => "(opaque)".to_owned(),
    };
    for redirect in &command.redirects {
        let descriptor = redirect.descriptor.map(|number| number.to_string()).unwrap_or_default();
        let target = match &redirect.target {
            Target::Word(target) => word(script, target),
            Target::Heredoc(index) => format!("#{index}"),
        };
        out += &format!(" ({descriptor}{:?} {target})", redirect.operator);
    }
    out
}

fn simple(script: &Script, simple: &Simple) -> String {
    let mut all = Vec::new();
    for assignment in &simple.assignments {
        all.push(assigned(script, assignment));
    }
    all.extend(simple.words.iter().map(|one| word(script, one)));
    for assignment in &simple.declares {
        all.push(assigned(script, assignment));
    }
    for inline in &simple.scripts {
        all.push(format!("{{{}}}", list(&inline.script, &inline.script.body, "; ")));
    }
    all.join(" ")
}

fn assigned(script: &Script, assignment: &Assignment) -> String {
    let equals = if assignment.appends { "+=" } else { "=" };
    let value = match &assignment.value {
        AssignedValue::Word(value) => word(script, value),
        AssignedValue::Array(values) => format!("[{}]", words(script, values)),
    };
    format!("{}{equals}{value}", assignment.name)
}

fn words(script: &Script, all: &[Word]) -> String {
    all.iter().map(|one| word(script, one)).collect::<Vec<_>>().join(" ")
}

fn body(script: &Script, body: &Body) -> String {
    format!("{{{}}}", list(script, &body.list, "; "))
}

/// `‹..›` where blanks would hide the word's limits, `'..'` for what is quoted.
fn word(script: &Script, word: &Word) -> String {
    let mut out = String::new();
    for part in &word.parts {
        let quoted = part.quote != Quote::None;
        let text = match &part.kind {
            PartKind::Literal(text) => {
                text.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t")
            }
            PartKind::Variable(expansion) => variable(script, expansion),
            PartKind::Command(inner) => format!("$({})", list(script, inner, "; ")),
            PartKind::Arithmetic(inner) => format!("$(({}))", self::word(script, inner)),
            PartKind::Process { list: inner, output } => {
                format!("{}({})", if *output { ">" } else { "<" }, list(script, inner, "; "))
            }
            PartKind::Github(inner) => format!("github<{inner}>"),
            PartKind::Placeholder(name) => format!("placeholder<{name}>"),
        };
        out += &if quoted { format!("'{text}'") } else { text };
    }
    out
}

fn variable(script: &Script, expansion: &Expansion) -> String {
    let mut out = format!("${}", expansion.name);
    if expansion.length {
        out += " length";
    }
    if expansion.indirect {
        out += " indirect";
    }
    if expansion.indexed {
        out += "[]";
    }
    if let Some(operator) = expansion.operator {
        let operand = expansion.operand.as_deref().map(|operand| word(script, operand)).unwrap_or_default();
        out += &format!("<{operator:?} {operand}>");
    }
    out
}
